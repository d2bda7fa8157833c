"""Moves through a recorded session: play, pause, speed, seek, step from moment to moment.

Pure of clocks: ``Player.advance`` is told how much wall time has passed. What it shows is a ``SessionLog``, the same
that the live view folds into, holding exactly the events up to the position; a run keeps its folded state while it
plays forward and goes back to a checkpoint when it does not.

Where no run is open and nothing happens for long (the lab starts, somebody talks), playing skips ahead: a quarter of
a second of wall time on either side of the gap is played, the rest is not, and is counted in ``skipped_ns``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from fractions import Fraction

from probes.events import Event
from probes.fold import SESSION_KINDS, fold_session, order_key
from probes.runlog import FoldLog, RunLog, SessionLog
from probes.state import SessionState

SPEEDS: tuple[Fraction, ...] = tuple(
    Fraction(*pair) for pair in ((1, 1000), (1, 100), (1, 10), (1, 5), (1, 2), (1, 1), (2, 1), (5, 1), (10, 1))
)
"""Slow motion to fast: 1/1000 shows a microsecond as a millisecond."""

_GAP_EDGE_NS = 250_000_000


class Player:
    """A position in a session's events, all times ns of the recording's own clock."""

    def __init__(
        self, events: Iterable[Event], *, header: Mapping[str, object] | None = None, notes: tuple[str, ...] = ()
    ) -> None:
        """``notes``: what the reader said of the file. Raises ValueError when there is no event."""
        ordered = sorted(events, key=order_key)
        if not ordered:
            raise ValueError("the recording holds no events")
        self.header, self.notes = header or {}, notes
        self.start, self.end = ordered[0].t, ordered[-1].t
        self._session = FoldLog(fold_session, SessionState())
        self._tracks: dict[int, _Track] = {}
        for event in ordered:
            self._file(event)
        self._gaps = _gaps(list(self._tracks.values()), self.start, self.end)
        self._moments: dict[int, tuple[int, ...]] = {}
        self.log = SessionLog()
        """The session as it stood at ``position``."""
        self.playing = False
        self.speed = Fraction(1)
        self.skipped_ns = 0
        """How much of the recording's time playing has skipped so far."""
        self._carry = Fraction(0)
        self.position = self.start
        self.seek(self.start)

    # --- where ----------------------------------------------------------------------------------------

    @property
    def runs(self) -> tuple[int, ...]:
        """The numbers of all runs, in the order of their first events."""
        return tuple(self._tracks)

    @property
    def run(self) -> int:
        """The newest run that has begun at the position; 0 before the first."""
        return next((number for number, track in reversed(self._tracks.items()) if track.first <= self.position), 0)

    def run_start(self, number: int) -> int:
        """When the first event of a run is. Raises KeyError."""
        return self._tracks[number].first

    def moments(self, number: int) -> tuple[int, ...]:
        """The times at which a mark appears on some lane of a run, in order."""
        if number not in self._moments:
            lanes = self._tracks[number].log.at(self.end).lanes
            marks = {mark.t for lane in lanes for row in lane.layers for mark in row.marks}
            self._moments[number] = tuple(sorted(marks))
        return self._moments[number]

    # --- moving ---------------------------------------------------------------------------------------

    def seek(self, t: int) -> None:
        """Go to ``t``, or to the nearer end of the recording."""
        self._carry = Fraction(0)
        self._move(min(max(t, self.start), self.end))

    def step(self, direction: int) -> None:
        """Pause, and go to the next (+1) or the previous (-1) moment; stay where there is none."""
        self.playing = False
        target = self._next_moment() if direction > 0 else self._previous_moment()
        if target is not None:
            self.seek(target)

    def advance(self, elapsed_ns: int) -> None:
        """Let ``elapsed_ns`` of wall time pass. Playing stops at the end."""
        if not self.playing:
            return
        exact = elapsed_ns * self.speed + self._carry
        whole = int(exact)
        self._carry = exact - whole
        self._move(min(self._skip(self.position, whole), self.end))
        self.playing = self.position < self.end

    def toggle(self) -> None:
        """Play or pause; at the end, play again from the start."""
        if not self.playing and self.position == self.end:
            self.seek(self.start)
        self.playing = not self.playing

    def set_speed(self, speed: Fraction) -> None:
        """One of ``SPEEDS``. Raises ValueError."""
        if speed not in SPEEDS:
            raise ValueError(f"no such speed: {speed}; there are {', '.join(map(str, SPEEDS))}")
        self.speed = speed

    def faster(self) -> None:
        self.speed = SPEEDS[min(SPEEDS.index(self.speed) + 1, len(SPEEDS) - 1)]

    def slower(self) -> None:
        self.speed = SPEEDS[max(SPEEDS.index(self.speed) - 1, 0)]

    # --- how ------------------------------------------------------------------------------------------

    def _file(self, event: Event) -> None:
        if type(event) in SESSION_KINDS:
            self._session.add(event)
        if event.run:
            self._tracks.setdefault(event.run, _Track(event.t)).add(event)

    def _move(self, t: int) -> None:
        low, high = min(self.position, t), max(self.position, t)
        self.position = t
        self._session.rewind(t)
        self.log.session = self._session.state
        for number, track in self._tracks.items():
            if track.first > t:
                self.log.runs.pop(number, None)
            elif track.last >= low and track.first <= high:
                track.log.rewind(t)
                self.log.runs[number] = track.log

    def _skip(self, at: int, amount: int) -> int:
        """``at`` plus ``amount``, less what is idle in between."""
        edge = int(_GAP_EDGE_NS * min(self.speed, Fraction(1)))
        target = at + amount
        for first, last in self._gaps[max(0, bisect_right(self._gaps, (at,)) - 1) :]:
            begin, over = max(first + edge, at), last - edge
            if target <= begin:
                break
            if begin < over:
                target += over - begin
                self.skipped_ns += over - begin
        return target

    def _next_moment(self) -> int | None:
        for number, track in self._tracks.items():
            if track.last <= self.position:
                continue
            moments = self.moments(number)
            index = bisect_right(moments, self.position)
            if index < len(moments):
                return moments[index]
        return None

    def _previous_moment(self) -> int | None:
        for number, track in reversed(self._tracks.items()):
            if track.first >= self.position:
                continue
            moments = self.moments(number)
            index = bisect_left(moments, self.position)
            if index:
                return moments[index - 1]
        return None


class _Track:
    """One run: its events from ``first`` to ``last`` (ns)."""

    def __init__(self, first: int) -> None:
        self.first = self.last = first
        self.log = RunLog()

    def add(self, event: Event) -> None:
        self.last = event.t
        self.log.add(event)


def _gaps(tracks: list[_Track], start: int, end: int) -> list[tuple[int, int]]:
    """(from, to) where no run has events, in order."""
    gaps, reached = [], start
    for track in tracks:
        if track.first > reached:
            gaps.append((reached, track.first))
        reached = max(reached, track.last)
    return [*gaps, (reached, end)] if end > reached else gaps
