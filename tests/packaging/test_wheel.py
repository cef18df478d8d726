"""What evalbox is made of where it is installed from a wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOOK = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from evalbox.tasks.catalogue import catalogue, places
found = catalogue(places([], Path.cwd()))
assert not found.problems, found.problems
print(*(task.path for task in found.tasks), sep="\\n")
"""


def test_the_samples_come_with_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    look = [sys.executable, "-c", LOOK, str(installed)]
    shown = subprocess.run(
        look, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60
    )
    paths = [Path(line) for line in shown.stdout.splitlines()]
    assert installed / "evalbox" / "sample_tasks" / "hello" / "hello.py" in paths
    assert all(path.is_relative_to(installed) for path in paths)
