"""All that is wrong with a request, for who shows it beside the options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from evalbox.errors import EvalboxError
from evalbox.requests.request import FAMILY_OPTIONS, Defaults, Request

#: A request with which nothing is wrong.
_PLAIN = Request(command=("true",))
#: What is run is looked at as one, and told as ``path``.
_PROGRAM = ("path", "arguments", "command", "source", "lang", *FAMILY_OPTIONS)
_OPTIONS = tuple(one.name for one in fields(Request) if one.name not in _PROGRAM)
#: Where the field that an error names is called otherwise than the option.
_OPTION_OF = {
    "command": "path", "language": "path", "lang": "path", "inputs": "file",
    "artifacts": "artifact", "labels": "label", "idempotency-key": "idempotency_key",
}  # fmt: skip


def problems(request: Request, defaults: Defaults, *, now: float) -> Mapping[str, EvalboxError]:
    """What is wrong, by the name of the option; each is looked at by itself, then all together.

    Reads the files that are named, so that it is to be called beside an event loop.
    """
    found: dict[str, EvalboxError] = {}
    program = replace(_PLAIN, **{name: getattr(request, name) for name in _PROGRAM})
    if error := _refused(program, Defaults(), now):
        field = getattr(error, "field", "").replace("-", "_")
        found[field if field in FAMILY_OPTIONS else "path"] = error
    for option in _OPTIONS:
        value = getattr(request, option)
        if value == getattr(_PLAIN, option):
            continue
        if error := _refused(replace(_PLAIN, **{option: value}), Defaults(), now):
            found[option] = error
    if not found and (error := _refused(request, defaults, now)):
        field = getattr(error, "field", "")
        option = _OPTION_OF.get(field, field)
        found[option if option in _OPTIONS else "path"] = error
    return found


def _refused(request: Request, defaults: Defaults, now: float) -> EvalboxError | None:
    try:
        request.prepare(defaults, now=now)
    except EvalboxError as error:
        return error
    return None
