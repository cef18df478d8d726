"""Makes the pictures of the README from the demo, as the screen draws it.

    .venv/bin/python packaging/screenshots/make.py [DIRECTORY]

The default is ``docs/screenshots``. The demo is played anew each time, so no two are alike.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

DEFAULT = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
SIZE = (132, 36)
#: Seconds that the demo goes on for before the first picture, so that there is something live.
SETTLED = 25.0

#: Each picture, and the keys that lead to it.
PICTURES = {
    "evaluations": ("1",),
    "evaluation": ("1", "j", "j", "enter"),
    "queue": ("1", "2"),
    "batches": ("3",),
    "failures": ("4",),
    "host": ("5",),
}


async def main(directory: Path) -> None:
    from evalbox.demo.box import demo_box
    from evalbox.tui.app import MissionControl
    from evalbox.tui.environment import Options

    with tempfile.TemporaryDirectory() as place:
        async with demo_box(Path(place) / "box") as box:
            app = MissionControl(box, Options(passing=True))
            async with app.run_test(size=SIZE) as pilot:
                await asyncio.sleep(SETTLED)
                for name, keys in PICTURES.items():
                    await pilot.press("escape", *keys)
                    await asyncio.sleep(2)
                    svg = app.export_screenshot(title="evalbox", simplify=True)
                    (directory / f"{name}.svg").write_text(svg, encoding="utf-8")
                    print(directory / f"{name}.svg")


if __name__ == "__main__":
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    chosen.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(chosen))
