#!/usr/bin/env python3
"""score: what the work is worth so far. score --submit: it is done."""

import json
import socket
import sys


def main() -> int:
    wanted = "submit" if sys.argv[1:] == ["--submit"] else "score"
    if sys.argv[1:] and wanted != "submit":
        print(__doc__)
        return 2
    try:
        with socket.socket(socket.AF_UNIX) as desk:
            desk.connect("/run/evalbox/socket")
            desk.sendall(json.dumps({"do": wanted}).encode() + b"\n")
            answer = desk.makefile().readline()
    except OSError as error:
        print(f"score: {error}", file=sys.stderr)
        return 1
    print(answer.strip() or "no answer")
    return 1 if "error" in json.loads(answer or '{"error": 1}') else 0


if __name__ == "__main__":
    sys.exit(main())
