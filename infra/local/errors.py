"""What may go wrong in a local run and be mended by the person who started it."""

from __future__ import annotations


class LocalRunError(RuntimeError):
    """The run cannot go on; the message is one line: what, where, what to do."""
