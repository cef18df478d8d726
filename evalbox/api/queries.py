"""Queries say nothing that is not understood: a filter misspelt would find everything."""

from __future__ import annotations

from typing import Any

from fastapi import Depends
from fastapi.dependencies.models import Dependant
from starlette.requests import HTTPConnection

from evalbox.errors import InvalidInput


async def _known(connection: HTTPConnection) -> None:
    asked = connection.query_params.keys()
    if not asked:
        return
    known = _names(connection.scope["route"].dependant)
    for name in asked:
        if name not in known:
            raise InvalidInput(
                f"{name[:60]!r} is no parameter of this",
                hint=f"there are {', '.join(sorted(known))}" if known else "it takes none",
                field=name[:60],
            )


def _names(dependant: Dependant) -> set[str]:
    found = {parameter.alias for parameter in dependant.query_params}
    for dependency in dependant.dependencies:
        found |= _names(dependency)
    return found


#: A dependency that refuses unknown parameters in the query.
known_queries: Any = Depends(_known)
