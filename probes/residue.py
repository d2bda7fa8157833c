"""What a process holds: tasks of the running loop, descriptors by kind, threads. Read before and after each run."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections import Counter
from pathlib import Path

_DESCRIPTORS = next((path for path in (Path("/proc/self/fd"), Path("/dev/fd")) if path.is_dir()), None)


def held_here() -> dict[str, int]:
    """Counts by name for this process: ``tasks`` without the one that asks, ``threads``, ``sockets``, ``other fds``."""
    asking = asyncio.current_task()
    tasks = sum(task is not asking for task in asyncio.all_tasks())
    return {"tasks": tasks, "threads": threading.active_count(), **descriptors()}


def descriptors() -> dict[str, int]:
    """Open descriptors; empty where the platform has no directory of them."""
    if _DESCRIPTORS is None:
        return {}
    kinds = Counter(_kind(fd.name) for fd in _DESCRIPTORS.iterdir())
    return {"sockets": kinds["socket"], "other fds": kinds["other"]}


def _kind(fd: str) -> str:
    """``socket``, ``other``, or ``gone``: the one that lists the directory is closed again."""
    try:
        return "socket" if stat.S_ISSOCK(os.fstat(int(fd)).st_mode) else "other"
    except OSError:
        return "gone"
