from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evalbox.domain.engine import ENGINES
from evalbox.engines.registry import make_engine
from evalbox.errors import InvalidInput


def test_engines_that_are_not_there_are_refused_with_those_that_are():
    with pytest.raises(InvalidInput) as caught:
        make_engine("podman")
    assert "podman" in caught.value.message
    assert caught.value.field == "engine"
    assert all(name in caught.value.hint for name in ENGINES)


@pytest.mark.parametrize("name", ENGINES)
async def test_engines_have_the_name_they_were_asked_by(name: str, tmp_path: Path):
    engine = make_engine(name, state_dir=tmp_path)
    assert engine.name == name
    await engine.close()


def test_only_what_is_asked_for_is_imported():
    code = (
        "import sys; from evalbox.engines.registry import make_engine; make_engine('fake');"
        "sys.exit(any(name in sys.modules for name in ('docker', 'psutil')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
