"""The process in which :class:`cryptobot.serving.trial.Trial` tries models; it ends with who started it.

Reads a length (eight bytes) and so many bytes of an ``.npz`` (``rows`` and models); answers one line,
empty where every model was loaded and has scored the rows. Imports the runtime and nothing else.
"""

from __future__ import annotations

import io
import os
import resource
import signal
import sys
from pathlib import Path

import numpy as np
import onnxruntime

_NICE = 5
"""Requests come first."""


def main() -> None:
    """Try what is sent until nothing more comes."""
    for signum in (signal.SIGINT, signal.SIGTERM):  # meant for who started this; the pipe's end ends it
        signal.signal(signum, signal.SIG_IGN)
    cpu_seconds, memory_bytes = map(int, sys.argv[1:])
    _limit_memory(memory_bytes)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # its end is expected, and no riddle
    os.nice(_NICE)
    while length := sys.stdin.buffer.read(8):
        sent = sys.stdin.buffer.read(int.from_bytes(length, "big"))
        _limit_cpu(cpu_seconds)
        sys.stdout.buffer.write(_fault(sent).encode() + b"\n")
        sys.stdout.buffer.flush()


def _fault(sent: bytes) -> str:
    try:
        with np.load(io.BytesIO(sent), allow_pickle=False) as arrays:
            for name in arrays.files:
                if name != "rows":
                    _score(arrays[name].tobytes(), arrays["rows"])
    except MemoryError:
        return "it takes more memory than a model may"
    except Exception as error:  # onnxruntime raises classes of its own extension for each status
        return " ".join(str(error).split())[:500] or type(error).__name__
    return ""


def _score(model: bytes, rows: np.ndarray) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    session.run(None, {"features": rows})


def _limit_memory(more: int) -> None:
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + more, taken + more))


def _limit_cpu(more: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + 1 + more
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
