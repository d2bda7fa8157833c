"""Counts the frames that a screen should have drawn and did not."""

from __future__ import annotations

from collections.abc import Callable


class FrameCount:
    """``due_ns``: from one frame to the next. ``clock`` gives ns."""

    def __init__(self, due_ns: int, clock: Callable[[], int]) -> None:
        self._due, self._clock = due_ns, clock
        self._last: int | None = None
        self.skipped = 0

    def drawn(self) -> None:
        """A frame's turn has come. One that is late by less than half a frame is no skipped one."""
        now = self._clock()
        if self._last is not None:
            self.skipped += max(0, round((now - self._last) / self._due) - 1)
        self._last = now

    def rest(self) -> None:
        """Nothing is to be drawn until the next frame, and that is as it should be."""
        self._last = None
