"""The file that holds a score, met in the tar that a job's files come in."""

from __future__ import annotations

import posixpath
import tarfile

from evalbox.domain.score import Score
from evalbox.domain.scoring import MAX_SCORE_FILE, invalid, parse_score


class ScoreFile:
    """It is asked for before all artifacts, so it comes first, or not at all. ``path`` is as it was
    asked for; ``found`` is what its content says, None where it has not come.

    What lies beneath it, should it be a directory, is no artifact either.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.found: Score | None = None
        self._name = _plain(path)
        self._over = False

    def takes(self, tar: tarfile.TarFile, member: tarfile.TarInfo, kind: str) -> bool:
        """Whether ``member`` belongs to it. ``kind`` says what it is, if it is no regular file."""
        name = _plain(member.name)
        if self._over:
            return False
        if self.found is None and name == self._name:
            self.found = self._read(tar, member, kind)
            return True
        self._over = self.found is None or not name.startswith(f"{self._name}/")
        return not self._over

    def _read(self, tar: tarfile.TarFile, member: tarfile.TarInfo, kind: str) -> Score:
        source = tar.extractfile(member) if member.isreg() else None
        if source is None:
            return invalid(f"{self.path} is {kind}")
        # One byte more than may be there tells that there is too much.
        return parse_score(source.read(MAX_SCORE_FILE + 1))


def _plain(path: str) -> str:
    return posixpath.normpath(path).lstrip("/")
