"""One cancel over many lanes.

A ``CancelScope`` holds the calling task of each lane. ``fire`` cancels them one after the other, each exactly
once: a second ``task.cancel()`` would hit the cleanup of the first, and what it does there is a defect that
this program shows on purpose, never by accident.
"""

from __future__ import annotations

import asyncio
from typing import Any

from probes.clock import Stamp
from probes.events import Signal, Trigger
from probes.sink import Sink


class CancelScope:
    """Fans one cancel out to the tasks added to it, and says when each of them was told."""

    def __init__(self, sink: Sink, run: int) -> None:
        self._sink, self._run = sink, run
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self.told: set[str] = set()
        self.complete = asyncio.Event()
        """Set once every call has been told or has ended."""

    def add(self, lane: str, task: asyncio.Task[Any]) -> None:
        self._tasks[lane] = task

    def fire(self, cause: str, *, lane: str = "", key_ns: int = 0, detail: str = "") -> int:
        """Cancel ``lane``, or all lanes. Returns how many were told; those told before or ended are left alone."""
        loop = asyncio.get_running_loop()
        names = [lane] if lane else list(self._tasks)
        targets = [(name, task) for name in names if (task := self._tasks.get(name)) and self._due(name, task)]
        if not targets:
            return 0
        now = self._sink.clock.now
        zero = now()
        stamps: list[tuple[str, Stamp]] = []
        for name, task in targets:
            task.cancel(cause)
            stamps.append((name, now()))
        self.told.update(name for name, _ in targets)
        if not any(self._due(name, task) for name, task in self._tasks.items()):
            self.complete.set()
        # Said after the tasks have had their turn: encoding here would hold up the news that is being measured.
        loop.call_soon(self._announce, zero, stamps, cause, lane, key_ns, detail)
        return len(targets)

    def _due(self, name: str, task: asyncio.Task[Any]) -> bool:
        return name not in self.told and not task.done()

    def _announce(
        self, zero: Stamp, stamps: list[tuple[str, Stamp]], cause: str, lane: str, key_ns: int, detail: str
    ) -> None:
        emit = self._sink.emit
        emit(Trigger, at=zero, run=self._run, lane=lane, cause=cause, detail=detail)
        for name, stamp in stamps:
            emit(Signal, at=stamp, run=self._run, lane=name, layer="caller", cause=cause, key_ns=key_ns)
