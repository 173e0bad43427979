"""The one line that says why a job failed."""

from __future__ import annotations

import re

_WORKER_ERROR = re.compile(r"^(?:[\w.]+\.)?\w*Error: (.+)$", re.MULTILINE)


def cause_of(error: BaseException) -> str:
    """Return the error's message in one line.

    What is raised in a Spark worker arrives as the text of a traceback within a Java stack trace;
    of that, the line that names the worker's own error is what matters.
    """
    text = str(error).strip()
    if "Traceback (most recent call last)" in text and (found := _WORKER_ERROR.findall(text)):
        return str(found[-1])
    return text.splitlines()[0] if text else type(error).__name__


def full_text(error: BaseException) -> str:
    """Return all that is known of an error: its own text, and that of the Java causes beneath it."""
    texts = [str(error)]
    cause = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    while cause is not None:
        texts.append(str(cause.toString()))
        cause = cause.getCause()
    return "\n".join(texts)
