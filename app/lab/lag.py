"""How late the lab's event loop is: the error bar of every stamp that the kernel did not take.

The loop's own clock is of no use here: uvloop's counts whole milliseconds. Its timers do too, and with other wake-ups
between fire up to 0.9 ms early (measured), which counts as not late.
"""

from __future__ import annotations

import asyncio

from probes.events import LoopLag
from probes.sink import Sink

_INTERVAL_NS = 5_000_000
_SAY_EVERY = 50
"""Samples between two events: one every quarter of a second."""


class LagMeter:
    """Samples the loop's lateness with a timer and keeps ``sink.clock.lag_ns`` at the worst of late."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._due = 0
        self._worst = 0
        self._samples = 0
        self._handle: asyncio.TimerHandle | None = None
        self.run = 0
        """The run that the lateness is attributed to; 0 between runs."""

    def start(self) -> None:
        self._due = self._sink.clock.now().t + _INTERVAL_NS
        self._handle = self._loop.call_later(_INTERVAL_NS / 1e9, self._sample)

    def attribute(self, run: int) -> None:
        """From now on lateness is ``run``'s; what there was before is told first, as whose it was."""
        self.stop()
        self._measure()
        self.flush()
        self.run = run
        self.start()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def flush(self) -> None:
        """Say the worst lateness since the last time now."""
        worst, self._worst, self._samples = self._worst, 0, 0
        self._sink.emit(LoopLag, run=self.run, lag_ns=worst)

    def _sample(self) -> None:
        lag = self._measure()
        # The error bar falls slowly, so that a stamp just after a hiccup still carries it.
        self._sink.clock.lag_ns = max(lag, self._sink.clock.lag_ns // 2)
        self._samples += 1
        if self._samples >= _SAY_EVERY:
            self.flush()
        self.start()

    def _measure(self) -> int:
        lag = max(0, self._sink.clock.now().t - self._due)
        self._worst = max(self._worst, lag)
        return lag
