"""A family by HTTP alone, as the guide shows it, on gVisor."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from cli_harness import Cli
from service_harness import elsewhere, serving

GUIDE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()

pytestmark = [pytest.mark.docker, pytest.mark.gvisor]


def test_the_family_of_the_guide_is_built_queued_and_scored(tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    (family,) = [block for block in blocks if "/families/evaluations" in block]
    cli = Cli(tmp_path)
    with serving(cli) as service:
        far = elsewhere(cli, service, tmp_path / "far")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", blocks[0] + family],
            cwd=tmp_path,
            env=os.environ | far.env | {"no_proxy": "*"},
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "event: progress" in done.stdout
        _, _, queued = done.stdout.partition("event: queued\ndata: ")
        (item,) = json.loads(queued)["items"]
        assert item["name"] == "sums/easy"
        assert item["labels"] == {"agent": "submission"}
        assert far("wait", item["id"]).code == 0
        shown = far("show", item["id"], "--json").json
        assert shown["score"]["value"] == 1
