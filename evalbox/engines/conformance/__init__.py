"""What every engine must do, as a suite that any engine can be put through.

For the author of an engine::

    from evalbox.engines.conformance import Lab, ShellCommands, Traits, run_suite

    lab = Lab(MyEngine(), image="my/image:1", traits=Traits(adopts=False))
    for result in await run_suite(lab):
        print(result.status, result.name, result.detail)

The image needs a POSIX shell, the usual tools, ``tar`` and ``python3``. What an engine cannot do is
said by its ``Traits``; a case that needs it is then *not applicable*, which is a result like the
others and never silence.
"""

from __future__ import annotations

from evalbox.engines.conformance.case import Case
from evalbox.engines.conformance.commands import Commands, FakeCommands, ShellCommands
from evalbox.engines.conformance.lab import Lab, Mismatch, Ran
from evalbox.engines.conformance.suite import (
    CASES,
    Result,
    Status,
    builtin_commands,
    builtin_traits,
    run_case,
    run_suite,
)
from evalbox.engines.conformance.traits import Traits

__all__ = [
    "CASES",
    "Case",
    "Commands",
    "FakeCommands",
    "Lab",
    "Mismatch",
    "Ran",
    "Result",
    "ShellCommands",
    "Status",
    "Traits",
    "builtin_commands",
    "builtin_traits",
    "run_case",
    "run_suite",
]
