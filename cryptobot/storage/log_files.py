"""Retention of log files on disk."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path


def prune_logs(folder: Path, days: int, now: datetime | None = None, *, dry_run: bool = False) -> int:
    """Remove the ``*.log`` files below ``folder`` that were last written ``days`` ago; return how many.

    Folders that are empty then go as well.
    """
    before = ((now or datetime.now(UTC)) - timedelta(days=days)).timestamp()
    old = [log for log in folder.rglob("*.log") if not log.is_symlink() and log.stat().st_mtime < before]
    if dry_run:
        return len(old)
    for log in old:
        log.unlink(missing_ok=True)
        for parent in log.parents:
            if parent == folder:
                break
            with suppress(OSError):  # another log is in it
                parent.rmdir()
    return len(old)
