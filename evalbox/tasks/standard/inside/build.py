"""Makes a family's image: its files, its build steps, its ``install``, and what there is in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from .family import ROOT, Mistake
from .narration import begin, note
from .plan import Plan
from .process import DESCRIPTION, Broken, base_environment, operate
from .users import prepare

_STRICT = "set -euo pipefail\n"


def build(plan: Plan, archive: Path) -> int:
    """``archive`` is a tar of the family. Gives the exit status: 0, or 1 where it failed."""
    try:
        _built(plan, archive)
    except (Broken, Mistake) as error:
        note(str(error))
        return 1
    return 0


def _built(plan: Plan, archive: Path) -> None:
    begin("files")
    prepare()
    with tarfile.open(archive) as bundle:
        # Whatever it is that somebody sent, all that it can reach is this sandbox.
        bundle.extractall(ROOT, members=map(_plain, bundle), numeric_owner=True)
    archive.unlink()
    for number, step in enumerate(plan.steps, start=1):
        begin(f"step {number}")
        _STEPS[step["type"]](step)
    begin("install")
    variables = dict(os.environ)
    asked = {"family": plan.family}
    operate("install", asked, environment=variables, seconds=plan.seconds("install"))
    begin("describe")
    found = operate("describe", asked, environment=variables, seconds=plan.seconds("setup"))
    DESCRIPTION.write_text(json.dumps(found), encoding="utf-8")


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Root's, and for nobody else to write."""
    member.uid = member.gid = 0
    member.mode &= 0o755
    return member


def _file(step: dict[str, Any]) -> None:
    source = Path(ROOT, step["source"]).resolve()
    if not source.is_relative_to(ROOT):
        raise Broken(f"build step: {step['source']} is outside of the family")
    target = Path(step["destination"])
    if target.resolve() == source:
        # The family is there already, in the directory that relative destinations begin in.
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.is_file():
        if step["destination"].endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    else:
        raise Broken(f"build step: there is no {step['source']}")


def _shell(step: dict[str, Any]) -> None:
    script = _STRICT + "\n".join(step["commands"])
    done = subprocess.run(
        ["/bin/bash", "-c", script],
        stdin=subprocess.DEVNULL, stdout=1, stderr=1, cwd=ROOT, check=False,
        env={**os.environ, **base_environment(ROOT, "root")},
    )  # fmt: skip
    if done.returncode:
        raise Broken(f"build step: {step['commands'][0][:200]}: status {done.returncode}")


_STEPS = {"file": _file, "shell": _shell}
