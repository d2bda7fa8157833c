"""The one clock. Every stamp of the program is taken here.

``time.monotonic_ns`` is CLOCK_MONOTONIC on Linux and macOS: one clock for all processes of a machine.
The kernel stamps packets with CLOCK_REALTIME, so a ``Clock`` keeps the offset between the two and
refreshes it at most once a second; between two refreshes an adjustment of the wall clock (NTP slews by at
most 500 ppm) moves a converted stamp by at most 0.5 us a millisecond of age.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from probes.events import StampQuality

_REFRESH_NS = 1_000_000_000
_KERNEL_ERR_NS = 20_000
"""A software receive stamp is taken about 12 us after the send (measured on loopback)."""


class Stamp(NamedTuple):
    """A moment and how much it can be trusted: ``t`` and ``err`` in ns."""

    t: int
    err: int = 0
    quality: StampQuality = "user"


class Clock:
    """Stamps, and the loop's lateness as their error bar."""

    def __init__(self) -> None:
        self.lag_ns = 0
        self._offset_ns = 0
        self._refreshed_ns = -_REFRESH_NS

    def now(self) -> Stamp:
        """Now, off by at most the loop's lateness as last measured."""
        return Stamp(time.monotonic_ns(), self.lag_ns)

    def from_kernel(self, realtime_ns: int) -> Stamp:
        """Convert a CLOCK_REALTIME stamp of the kernel."""
        now = time.monotonic_ns()
        if now - self._refreshed_ns >= _REFRESH_NS:
            self._refresh(now)
        return Stamp(realtime_ns - self._offset_ns, _KERNEL_ERR_NS, "kernel")

    def _refresh(self, now: int) -> None:
        # The pair read in the shortest time is the truest: the wall clock is read between two monotonic ones.
        best = None
        for _ in range(5):
            before = time.monotonic_ns()
            wall = time.time_ns()
            after = time.monotonic_ns()
            if best is None or after - before < best[0]:
                best = (after - before, wall - (before + after) // 2)
        assert best is not None
        self._offset_ns = best[1]
        self._refreshed_ns = now
