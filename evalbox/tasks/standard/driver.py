"""The program for the sandbox, ``inside``, as one archive: the same bytes for the same source."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

_MAIN = b"""import sys
from evalbox_inside.main import main
sys.exit(main(sys.argv[1:]))
"""
#: What it is called in the archive, so that no module of a family is taken for it.
_PACKAGE = "evalbox_inside"
_EARLIEST = (1980, 1, 1, 0, 0, 0)


#: What building a family comes to. To be raised with every change of ``inside`` by which the same
#: family becomes another image, or its description is read otherwise: all are built again then.
_BUILDING = "task-standard build 1"


@cache
def makers() -> Mapping[str, str]:
    """This program by the hash of its content, for the keys of what is built by it.

    Of this one alone is it known: whoever sends another one gets images of their own.
    """
    return MappingProxyType({hashlib.sha256(driver_archive()).hexdigest(): _BUILDING})


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
