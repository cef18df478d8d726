"""What this program is asked to be: see ``main``."""

from __future__ import annotations

import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """``build PLAN ARCHIVE``, ``run PLAN [TASK]`` or ``operation NAME``; gives the exit status."""
    match arguments:
        case ["operation", name]:
            from .operations import perform

            return perform(name)
        case ["run", path, *task] if len(task) <= 1:
            from .environ import hide_environment
            from .lifecycle import Lifecycle, client_of
            from .plan import read_plan

            hide_environment()
            plan = read_plan(path, *task)
            return Lifecycle(plan, client_of(Path(sys.argv[0]))).run()
        case ["build", plan, archive]:
            from .build import build
            from .plan import read_plan

            return build(read_plan(plan), Path(archive))
    print(main.__doc__, file=sys.stderr)
    return 2
