"""Writes docs/openapi.json from the code; refuses what would break a client of what is there.

python packaging/openapi/write.py            after a change of the API
python packaging/openapi/write.py --release  at a release: tests/api/released.json, too
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from compatibility import breaks

from evalbox.api.app import openapi

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "openapi.json"
RELEASED = ROOT / "tests" / "api" / "released.json"
#: What a client does not depend on.
_WORDS = ("title", "description", "summary", "example", "examples")


def text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def shape(document: Any) -> Any:
    """``document`` without what it says to people."""
    match document:
        case dict():
            return {
                key: shape(value)
                for key, value in document.items()
                if key not in _WORDS or not isinstance(value, str | list)
            }
        case list():
            return [shape(one) for one in document]
    return document


def main() -> None:
    made = openapi()
    for path in (RELEASED, DOCUMENT):
        found = breaks(json.loads(path.read_text()), made) if path.exists() else []
        for line in found:
            print(f"{path.relative_to(ROOT)}: {line}", file=sys.stderr)
        if found:
            sys.exit("this would break clients: make it /api/v2, beside what there is")
    DOCUMENT.write_text(text(made))
    if "--release" in sys.argv[1:]:
        RELEASED.write_text(json.dumps(shape(made), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
