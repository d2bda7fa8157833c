"""Moves through a recorded session: play, pause, speed, seek, step from moment to moment.

Pure of clocks: ``Player.advance`` is told how much wall time has passed. What it shows is a ``PastLog``, which answers
as a ``SessionLog`` would that holds exactly the events up to the position. A run is folded when it is looked at; while
it plays forward it keeps its folded state, and it goes back to a checkpoint when it does not.

Where no run is open and nothing happens for long (the lab starts, somebody talks), playing skips ahead: a quarter of
a second of wall time on either side of the gap is played, the rest is not, and is counted in ``skipped_ns``. A part of
the recording can be played by itself (``probes.part``); in it, what is quiet inside a run is skipped as well.
"""

from __future__ import annotations

import contextlib
import gc
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Generic, TypeVar

from probes.archive import Archive, Held, Span
from probes.events import Event
from probes.fold import fold, fold_session
from probes.part import AFTER, BEFORE, QUIET, REST, Gap, Part, pass_over
from probes.runlog import FoldLog, RunLog
from probes.state import RunState, SessionState

SPEEDS: tuple[Fraction, ...] = tuple(
    Fraction(*pair) for pair in ((1, 1000), (1, 100), (1, 10), (1, 5), (1, 2), (1, 1), (2, 1), (5, 1), (10, 1))
)
"""Slow motion to fast: 1/1000 shows a microsecond as a millisecond."""

_GAP_EDGE_NS = 250_000_000
_EVENTS_KEPT = 100_000
_OUTLINES_KEPT = 200

T = TypeVar("T")


class Player:
    """A position in a session, all times ns of the recording's own clock."""

    def __init__(
        self,
        session: Archive | Iterable[Event],
        *,
        header: Mapping[str, object] | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """``notes``: what the reader said of the file. Raises ValueError when there is no event."""
        archive = Held(session) if isinstance(session, Iterable) else session
        self.header, self.notes = header or {}, notes
        self.start, self.end = archive.whole
        self._spans = archive.spans
        self._gaps = tuple(_gaps(list(self._spans.values()), self.start, self.end))
        self.log = PastLog(archive)
        """The session as it stood at ``position``."""
        self.playing = False
        self.speed = Fraction(1)
        self.skipped_ns = 0
        """How much of the recording's time playing has skipped so far."""
        self.skip: Gap | None = None
        """What it skipped last, since somebody moved it."""
        self.part: Part | None = None
        """What is played by itself; None: everything."""
        self._rest = 0
        self._carry = Fraction(0)
        self.position = self.start
        self.seek(self.start)

    # --- where ----------------------------------------------------------------------------------------

    @property
    def runs(self) -> tuple[int, ...]:
        """The numbers of all runs, in the order of their first events."""
        return tuple(self._spans)

    @property
    def run(self) -> int:
        """The newest run that has begun at the position; 0 before the first."""
        return self.log.newest

    def run_start(self, number: int) -> int:
        """When the first event of a run is. Raises KeyError."""
        return self._spans[number].first

    def moments(self, number: int) -> tuple[int, ...]:
        """The times at which a mark appears on some lane of a run, in order."""
        lanes = self.log.outline(number).lanes
        return tuple(sorted({mark.t for lane in lanes for row in lane.layers for mark in row.marks}))

    # --- moving ---------------------------------------------------------------------------------------

    def seek(self, t: int) -> None:
        """Go to ``t``, or to the nearer end of the recording."""
        self._carry, self._rest, self.skip = Fraction(0), 0, None
        self._move(min(max(t, self.start), self.end))

    def step(self, direction: int) -> None:
        """Pause, and go to the next (+1) or the previous (-1) moment; stay where there is none."""
        self.playing = False
        target = self._moment(direction)
        if target is not None and (self.part is None or target in self.part):
            self.seek(target)

    def edge(self, last: bool) -> None:
        """Go to the first or the last instant of the part, or of the recording."""
        self.seek(self._bounds[last])

    def advance(self, elapsed_ns: int) -> None:
        """Let ``elapsed_ns`` of wall time pass. Playing stops at the end, or begins again in a loop."""
        if not self.playing or self._resting(elapsed_ns):
            return
        exact = elapsed_ns * self.speed + self._carry
        whole = int(exact)
        self._carry = exact - whole
        end = self._bounds[1]
        self._move(min(self._skip(self.position, whole), end))
        if self.position >= end:
            self.playing = self.part is not None and self.part.loop
            self._rest = REST * self.playing

    def toggle(self) -> None:
        """Play or pause; at the end, play again from the start."""
        if not self.playing and self.position >= self._bounds[1]:
            self.edge(last=False)
        self.playing = not self.playing

    def play(self, part: Part) -> None:
        """Play ``part`` by itself, from its begin."""
        self.part = part
        self.seek(part.first)
        self._rest, self.playing = REST * part.loop, True

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

    def _move(self, t: int) -> None:
        self.position = t
        self.log.move(t)

    @property
    def _bounds(self) -> Gap:
        return (self.start, self.end) if self.part is None else (self.part.first, self.part.last)

    def _resting(self, elapsed_ns: int) -> bool:
        """A loop stands at its ends for a while."""
        if self._rest <= 0:
            return False
        self._rest -= elapsed_ns
        if self._rest <= 0 and self.part is not None and self.position >= self.part.last:
            self.play(self.part)
        return True

    def _skip(self, at: int, amount: int) -> int:
        """``at`` plus ``amount``, less what is idle in between."""
        scale = min(self.speed, Fraction(1))
        if self.part is None:
            gaps, after, before = self._gaps, int(_GAP_EDGE_NS * scale), int(_GAP_EDGE_NS * scale)
        else:
            gaps = tuple(gap for gap in self.part.quiet if gap[1] - gap[0] > QUIET * scale)
            after, before = int(AFTER * scale), int(BEFORE * scale)
        target, skip = pass_over(at, amount, gaps, after, before)
        if skip is not None:
            self.skip, self.skipped_ns = skip, self.skipped_ns + target - at - amount
        return target

    def _moment(self, direction: int) -> int | None:
        """The time of the next or the previous moment, of whatever run."""
        for number, span in list(self._spans.items())[::direction]:
            if (span.last <= self.position) if direction > 0 else (span.first >= self.position):
                continue
            moments = self.moments(number)
            index = bisect_right(moments, self.position) if direction > 0 else bisect_left(moments, self.position) - 1
            if 0 <= index < len(moments):
                return moments[index]
        return None


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """What is made here lives on and has no cycles: looking for garbage in it doubled the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class PastLog:
    """A session as it stood at one moment, from an archive. ``move`` sets the moment (ns)."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._session = FoldLog(fold_session, SessionState())
        for event in archive.session:
            self._session.add(event)
        self._numbers = tuple(archive.spans)
        self._firsts = [span.first for span in archive.spans.values()]
        self._begun = 0
        self._position = archive.whole.first
        self._logs: _Kept[RunLog] = _Kept(_EVENTS_KEPT)
        self._outlines: _Kept[RunState] = _Kept(_OUTLINES_KEPT)

    def move(self, t: int) -> None:
        self._position = t
        self._begun = bisect_right(self._firsts, t)
        self._session.rewind(t)
        for log in self._logs:
            log.rewind(t)

    @property
    def session(self) -> SessionState:
        return self._session.state

    @property
    def runs(self) -> tuple[int, ...]:
        """The runs that have begun."""
        return self._numbers[: self._begun]

    @property
    def newest(self) -> int:
        """The newest of them; 0 before the first."""
        return self._numbers[self._begun - 1] if self._begun else 0

    def run(self, number: int) -> RunState:
        """The state of a run; an empty one for a number that is not there."""
        span = self._archive.spans.get(number)
        if span is None or span.first > self._position:
            return RunState()
        log = self._logs.get(number)
        return self._open(number).state if log is None else log.state

    @_uncollected()
    def _open(self, number: int) -> RunLog:
        log = RunLog()
        for event in self._archive.events(number):
            log.add(event)
        log.rewind(self._position)
        log.state  # noqa: B018 - folded here, where nobody collects
        self._logs.keep(number, log, len(log))
        return log

    def outline(self, number: int) -> RunState:
        """A run at its end, folded without its ticks: marks and outcome are those of the whole, counters are not.

        Raises KeyError.
        """
        state = self._outlines.get(number)
        if state is None:
            state = fold(self._archive.edges(number))
            self._outlines.keep(number, state, 1)
        return state

    def past(self, number: int) -> RunState:
        """What a list of past runs needs: the outline of a run that is over, the state of one that is not."""
        over = self._archive.spans[number].last <= self._position
        return self.outline(number) if over else self.run(number)


class _Kept(Generic[T]):
    """The last values that were asked for, as many as ``room`` holds by their weight, and always the newest."""

    def __init__(self, room: int) -> None:
        self._room, self._used = room, 0
        self._values: dict[int, tuple[T, int]] = {}

    def __iter__(self) -> Iterator[T]:
        return iter([value for value, _ in self._values.values()])

    def get(self, key: int) -> T | None:
        found = self._values.pop(key, None)
        if found is None:
            return None
        self._values[key] = found
        return found[0]

    def keep(self, key: int, value: T, weight: int) -> None:
        self._values[key] = (value, weight)
        self._used += weight
        while self._used > self._room and len(self._values) > 1:
            oldest = next(iter(self._values))
            self._used -= self._values.pop(oldest)[1]


def _gaps(spans: list[Span], start: int, end: int) -> list[tuple[int, int]]:
    """(from, to) where no run has events, in order."""
    gaps, reached = [], start
    for span in spans:
        if span.first > reached:
            gaps.append((reached, span.first))
        reached = max(reached, span.last)
    return [*gaps, (reached, end)] if end > reached else gaps
