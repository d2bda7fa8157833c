"""A session that is over, as a player asks for it: what runs there are and when, and the events of one of them.

``Held`` has all events in memory: the session so far of a console that runs. ``probes.index.Index`` leaves them in
their file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from probes.events import TICKS, Event
from probes.fold import SESSION_KINDS, order_key


class Span(NamedTuple):
    """From the first event to the last, ns."""

    first: int
    last: int


class Archive(Protocol):
    """``whole``: the session's own span. ``spans``: those of the runs, in the order of their first events.

    ``session``: the events that ``fold_session`` takes notice of, in order.
    """

    @property
    def whole(self) -> Span: ...

    @property
    def spans(self) -> Mapping[int, Span]: ...

    @property
    def session(self) -> Sequence[Event]: ...

    def events(self, run: int) -> Sequence[Event]:
        """All events of a run, in order. Raises KeyError."""

    def edges(self, run: int) -> Sequence[Event]:
        """The same without the ticks, which make no marks."""


class Held:
    """Events in memory. Raises ValueError when there are none."""

    def __init__(self, events: Iterable[Event]) -> None:
        ordered = sorted(events, key=order_key)
        if not ordered:
            raise ValueError("the recording holds no events")
        self.whole = Span(ordered[0].t, ordered[-1].t)
        self.session = [event for event in ordered if type(event) in SESSION_KINDS]
        self._runs: dict[int, list[Event]] = {}
        for event in ordered:
            if event.run:
                self._runs.setdefault(event.run, []).append(event)
        self.spans = {run: Span(found[0].t, found[-1].t) for run, found in self._runs.items()}

    def events(self, run: int) -> Sequence[Event]:
        return self._runs[run]

    def edges(self, run: int) -> Sequence[Event]:
        return [event for event in self._runs[run] if type(event) not in TICKS]
