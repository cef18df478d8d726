"""JSON that means one thing only, however it is read."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from evalbox.errors import InvalidInput

#: More than any object that means something here.
MAX_FIELDS = 10_000


def check_json(body: bytes) -> None:
    """Raises ``InvalidInput`` for what is not JSON by RFC 8259, or says one thing twice."""
    try:
        json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise InvalidInput("the body is not valid JSON: it is not UTF-8") from None
    except RecursionError:
        raise InvalidInput("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"the body is not valid JSON: {error.msg.lower()} at character {error.pos}"
        ) from None
    except ValueError:
        raise InvalidInput("the body has a number of too many digits") from None


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > MAX_FIELDS:
        # Each would be complained about by itself, for seconds.
        raise InvalidInput(f"an object has {len(pairs)} fields", hint=f"at most {MAX_FIELDS}")
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"{twice[:60]!r} is given twice", field=twice[:60])


def _no_number(text: str) -> NoReturn:
    raise InvalidInput(f"{text} is no number in JSON")
