"""The commands of docs/api.md do what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from standing import standing

GUIDE = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the guide speaks by curl")
def test_every_command_of_the_guide_works(tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 7
    with standing(tmp_path / "box", work=True) as box:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
            cwd=tmp_path,
            env=os.environ | {"EVALBOX_URL": box.url, "EVALBOX_KEY": box.key, "no_proxy": "*"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    # A fake engine knows neither Python nor wc, but says so as a program would.
    assert "event: end" in done.stdout
    assert '"code":"invalid_input"' in done.stdout
    ids = re.findall(r"([0-9a-z]{22})$", done.stdout, re.MULTILINE)
    assert len(ids) == 2
    assert ids[0] == ids[1]
