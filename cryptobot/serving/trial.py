"""The trial of a model before it serves: loaded and run in a process of its own, within limits.

What a runtime does with a model's bytes cannot be interrupted from within: a model may take for ever,
take all memory, or end the process. So it is tried first where that hurts nobody.
"""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cryptobot.serving.bundle import BundleError

MEMORY_BYTES = 2 * 1024**3
"""Memory that the trial may take besides what the runtime itself has."""
WAIT_SECONDS = 60.0
_PROGRAM = Path(__file__).with_name("trial_process.py")
_KINDLY_STOPPED = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class BundleUnloadableError(BundleError):
    """A bundle whose model takes more time or memory than it may, or ends the process that loads it."""


class TrialUnfinishedError(RuntimeError):
    """The trial was ended from without, or got no processor: it says nothing of the bundle; try again."""


class Trial:
    """Tries models, one after another, in one process that stays for the next; for one thread."""

    def __init__(self, cpu_seconds: int, wait_seconds: float = WAIT_SECONDS) -> None:
        self._cpu_seconds = cpu_seconds
        self._wait_seconds = wait_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._turn = threading.Lock()
        self._start = threading.Lock()

    def run(self, models: list[bytes], rows: npt.NDArray[np.float32]) -> None:
        """Load each of ``models`` and score ``rows`` with it.

        Raises
        ------
        BundleUnloadableError
            One of them cannot be loaded and run within the limits.
        TrialUnfinishedError
            The trial did not come to an end, or there is none any more; nothing is known.
        """
        arrays: dict[str, Any] = {f"model{i}": np.frombuffer(m, np.uint8) for i, m in enumerate(models)}
        sent = io.BytesIO()
        np.savez(sent, rows=rows, **arrays)
        with self._turn:
            process = self._ready()
            answer = self._ask(process, sent.getvalue())
            if answer is None:
                self._process = None
                raise self._fault(process)
        if answer:
            raise BundleUnloadableError(f"the model cannot be loaded: {answer}")

    def close(self) -> None:
        """End the process, and with it a trial that is under way; none is begun after it."""
        with self._start:
            self._closed = True
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _ready(self) -> subprocess.Popen[bytes]:
        with self._start:
            if self._closed:
                raise TrialUnfinishedError("no bundle is tried any more: this process is stopping")
            if self._process is None or self._process.poll() is not None:
                command = [sys.executable, "-P", str(_PROGRAM), str(self._cpu_seconds), str(MEMORY_BYTES)]
                self._process = subprocess.Popen(  # noqa: S603 - our own program, the numbers are settings
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
            return self._process

    def _ask(self, process: subprocess.Popen[bytes], sent: bytes) -> str | None:
        """Return what the process found wrong, empty where nothing is, or ``None`` where it has ended."""
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        # A process that neither reads nor answers is killed, which ends the write and the read alike.
        limit = threading.Timer(self._wait_seconds, process.kill)
        limit.daemon = True
        limit.start()
        try:
            process.stdin.write(len(sent).to_bytes(8, "big") + sent)
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            return None
        finally:
            limit.cancel()
        return line.decode(errors="replace").strip() if line.endswith(b"\n") else None

    def _fault(self, process: subprocess.Popen[bytes]) -> Exception:
        """End the process, and return the error that its end stands for."""
        code = _end(process)
        if code == -signal.SIGXCPU:
            return BundleUnloadableError(
                f"the model takes more than {self._cpu_seconds} s of processor time to load and score"
            )
        if code < 0 and -code not in _KINDLY_STOPPED:
            return BundleUnloadableError(f"the model ends the process: {signal.Signals(-code).name}")
        return TrialUnfinishedError(f"the trial of a bundle ended with {code} before its time")


def _end(process: subprocess.Popen[bytes]) -> int:
    """Return how the process ended; one that has not is killed."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:  # what could not be sent any more
                continue
    try:
        return process.wait(0.5)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
