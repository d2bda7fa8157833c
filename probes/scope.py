"""One cancel over many lanes.

A ``CancelScope`` holds the calling task of each lane, and how that lane is cancelled. ``fire`` cancels them one after
the other, each exactly once: a second ``task.cancel()`` would hit the cleanup of the first, and what it does there is
a defect that this program shows on purpose, never by accident.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from probes.clock import Stamp
from probes.events import Layer, Signal, Trigger
from probes.sink import Sink

Strike = Callable[[], Layer]
"""Cancels one lane now, without waiting for anything; returns the layer that was told by that."""

How = Callable[[], str]
"""The call by which the lane would be cancelled now: what it has in hand for that may come only with its phase."""


def _task_cancel() -> str:
    return "task.cancel"


@dataclass(frozen=True, slots=True)
class _Target:
    task: asyncio.Task[Any]
    strike: Strike
    how: How


@dataclass(frozen=True, slots=True)
class _Told:
    lane: str
    layer: Layer
    how: str
    at: Stamp


class CancelScope:
    """Fans one cancel out to the tasks added to it, and says when each of them was told."""

    def __init__(self, sink: Sink, run: int) -> None:
        self._sink, self._run = sink, run
        self._targets: dict[str, _Target] = {}
        self.told: set[str] = set()
        self.complete = asyncio.Event()
        """Set once every call has been told or has ended."""

    def add(self, lane: str, task: asyncio.Task[Any], strike: Strike | None = None, how: How = _task_cancel) -> None:
        """``strike`` cancels the lane in its own way, by the call ``how``; without one its task is cancelled."""

        def cancel() -> Layer:
            task.cancel()
            return "caller"

        self._targets[lane] = _Target(task, strike or cancel, how)
        task.add_done_callback(lambda _: self._check())

    def fire(self, cause: str, *, lane: str = "", key_ns: int = 0, detail: str = "") -> int:
        """Cancel ``lane``, or all lanes. Returns how many were told; those told before or ended are left alone."""
        loop = asyncio.get_running_loop()
        names = [lane] if lane else list(self._targets)
        targets = [(name, target) for name in names if (target := self._targets.get(name)) and self._due(name, target)]
        if not targets:
            return 0
        now = self._sink.clock.now
        zero = now()
        told: list[_Told] = []
        for name, target in targets:
            how, layer = target.how(), target.strike()
            told.append(_Told(name, layer, how, now()))
        self.told.update(name for name, _ in targets)
        self._check()
        # Said after the tasks have had their turn: encoding here would hold up the news that is being measured.
        loop.call_soon(self._announce, zero, told, cause, lane, key_ns, detail)
        return len(targets)

    def forget(self) -> None:
        """Let go of the tasks: nobody will be told any more."""
        self._targets.clear()

    def _check(self) -> None:
        if not any(self._due(name, target) for name, target in self._targets.items()):
            self.complete.set()

    def _due(self, name: str, target: _Target) -> bool:
        return name not in self.told and not target.task.done()

    def _announce(self, zero: Stamp, told: list[_Told], cause: str, lane: str, key_ns: int, detail: str) -> None:
        emit = self._sink.emit
        emit(Trigger, at=zero, run=self._run, lane=lane, cause=cause, detail=detail)
        for each in told:
            emit(
                Signal,
                at=each.at,
                run=self._run,
                lane=each.lane,
                layer=each.layer,
                cause=cause,
                how=each.how,
                key_ns=key_ns,
            )
