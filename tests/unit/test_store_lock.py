import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from evalbox.errors import StoreError
from evalbox.store.lock import DataDirectoryLock

HOLD = """
import sys, time
from pathlib import Path
from evalbox.store.lock import DataDirectoryLock
lock = DataDirectoryLock(Path(sys.argv[1]))
print(lock.try_acquire(), flush=True)
time.sleep(60)
"""


def test_one_at_a_time(tmp_path: Path) -> None:
    first, second = DataDirectoryLock(tmp_path), DataDirectoryLock(tmp_path)
    assert first.holder() is None
    assert first.try_acquire()
    assert first.try_acquire()
    assert not second.try_acquire()
    assert first.holder() == second.holder() == os.getpid()
    first.release()
    first.release()
    assert second.holder() is None
    assert second.try_acquire()
    second.release()


def test_the_kernel_frees_it_when_its_holder_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        lock = DataDirectoryLock(tmp_path)
        assert not lock.try_acquire()
        assert lock.holder() == process.pid
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert lock.holder() is None
    assert lock.try_acquire()
    lock.release()


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        DataDirectoryLock(tmp_path / "missing").try_acquire()
    assert DataDirectoryLock(tmp_path / "missing").holder() is None
