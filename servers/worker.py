"""A thread that a handler waits in. Nobody can interrupt it: that it goes on after the handler has left, and until
when, is what it is there to show."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from probes.clock import Stamp

Ended = Callable[[str, Stamp], None]
"""Told on the loop that the thread has ended: a few words, and when."""


class Worker:
    """Sleeps as often as it is asked to, until ``finish``. Make and use it on the loop."""

    def __init__(self, ended: Ended, now: Callable[[], Stamp]) -> None:
        self._ended, self._now = ended, now
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[tuple[float, asyncio.Future[None]] | None] = SimpleQueue()
        # A daemon: the end of the process does not wait for it.
        threading.Thread(target=self._run, name="handler's executor", daemon=True).start()

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` of sleep in the thread. A cancel ends the wait, not the sleep."""
        slept = self._loop.create_future()
        self._jobs.put((seconds, slept))
        await slept

    def finish(self) -> None:
        """Let the thread end when the sleep that it is in is over."""
        self._jobs.put(None)

    def _run(self) -> None:
        begun = self._now()
        while (job := self._jobs.get()) is not None:
            seconds, slept = job
            time.sleep(seconds)
            self._on_loop(_wake, slept)
        ended = self._now()
        self._on_loop(self._ended, f"thread ended after {(ended.t - begun.t) / 1e6:.0f} ms", ended)

    def _on_loop(self, callback: Callable[..., None], *arguments: Any) -> None:
        # The loop may be closed: the process has ended before the sleep did.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *arguments)


def _wake(slept: asyncio.Future[None]) -> None:
    if not slept.done():
        slept.set_result(None)
