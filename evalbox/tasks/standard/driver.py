"""The program for the sandbox, ``inside``, as one archive: the same bytes for the same source."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from importlib import resources

_MAIN = b"""import sys
from evalbox_inside.main import main
sys.exit(main(sys.argv[1:]))
"""
#: What it is called in the archive, so that no module of a family is taken for it.
_PACKAGE = "evalbox_inside"
_EARLIEST = (1980, 1, 1, 0, 0, 0)


@cache
def driver_archive() -> bytes:
    """To be run as ``python3 driver.pyz``."""
    files = {"__main__.py": _MAIN}
    for source in resources.files("evalbox.tasks.standard.inside").iterdir():
        if source.name.endswith(".py"):
            files[f"{_PACKAGE}/{source.name}"] = source.read_bytes()
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _EARLIEST)
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, files[name])
    return written.getvalue()
