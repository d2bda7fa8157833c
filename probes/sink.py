"""``Sink.emit``: the one place where events come into being."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from probes.clock import Clock, Stamp
from probes.codec import encode
from probes.events import Event

E = TypeVar("E", bound=Event)
Write = Callable[[Event, bytes], None]
"""Takes an event and its line (no newline). Must return at once and never raise."""


class Sink:
    """Stamps, numbers, encodes, and hands on. Never awaits, never blocks."""

    def __init__(self, src: str, write: Write, clock: Clock | None = None) -> None:
        self.src = src
        self.clock = clock or Clock()
        self._write = write
        self._seq = 0

    def emit(self, cls: type[E], /, *, at: Stamp | None = None, **fields: Any) -> E:
        """Make an event of ``cls`` with its own ``fields``, stamped now or ``at`` a stamp taken before."""
        stamp = at or self.clock.now()
        self._seq += 1
        event = cls(t=stamp.t, err=stamp.err, src=self.src, seq=self._seq, **fields)
        self._write(event, encode(event))
        return event

    def relay(self, event: Event, line: bytes) -> None:
        """Hand on an event of another process, whose ``line`` it is, as it is."""
        self._write(event, line)
