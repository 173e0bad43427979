"""Programs run and watched by the benchmarks."""

from __future__ import annotations

import sys

import psutil
import pytest

from benchmarks.programs import ProgramFailedError, watch
from tests.servers import wait_until

CHILD = """
import time
held = bytearray(b"x") * (60 << 20)
while time.process_time() < 1:
    pass
"""
WORK = f"""
import subprocess, sys
print("up", flush=True)
subprocess.run([sys.executable, "-c", {CHILD!r}], check=True)
print("done", flush=True)
"""
LEAVE = """
import subprocess, sys
left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
print(left.pid)
"""


def test_a_program_is_seen_with_all_it_starts() -> None:
    finished = watch([sys.executable, "-c", WORK])
    assert [line for _, line in finished.lines] == ["up\n", "done\n"]
    assert finished.text == "up\ndone\n"
    assert finished.seconds_since("up") >= 1
    assert 60 < finished.usage.peak_mb < 200
    (seconds,) = finished.usage.cpu_s().values()
    assert 0.5 < seconds < 5


def test_a_program_that_fails_says_what_it_printed() -> None:
    with pytest.raises(ProgramFailedError, match="ended with 3:\nno disk"):
        watch([sys.executable, "-c", "import sys; print('no disk'); sys.exit(3)"])


def test_what_a_program_leaves_behind_is_ended() -> None:
    left = int(watch([sys.executable, "-c", LEAVE]).text)
    wait_until(lambda: not _runs(left), limit=20, what="the end of what was left behind")


def _runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
