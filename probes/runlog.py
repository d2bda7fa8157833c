"""Keeps the runs of a session as events arrive, in whatever order the processes deliver them.

Events of different processes come some ms out of order. Within a run the order is by ``fold.order_key``: an
event that belongs before ones already folded re-folds its run from the last checkpoint in front of it.
States are immutable, so a checkpoint is a reference.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Generic, TypeVar

from probes.archive import Span
from probes.events import TICKS, Event
from probes.fold import SESSION_KINDS, fold_run, fold_session, order_key
from probes.shelf import Shelf
from probes.state import RunState, SessionState

_CHECKPOINT_EVERY = 64
IN_MEMORY = 50_000
"""Events of the last runs: some twenty runs with four streams."""
_NONE = RunState()

S = TypeVar("S")


class FoldLog(Generic[S]):
    """Events in order, and the state they fold to."""

    def __init__(self, fold: Callable[[S, Event], S], empty: S) -> None:
        self._fold = fold
        self._events: list[Event] = []
        self._keys: list[tuple[int, str, int]] = []
        self._checkpoints = [empty]
        """The state after each ``_CHECKPOINT_EVERY`` events, as far as it was ever folded."""
        self._folded = 0
        self._state = empty
        self._end: int | None = None

    def add(self, event: Event) -> None:
        """Take one event; folding waits until ``state`` is asked for."""
        key = order_key(event)
        if not self._keys or key > self._keys[-1]:
            self._events.append(event)
            self._keys.append(key)
            return
        at = bisect_right(self._keys, key)
        self._events.insert(at, event)
        self._keys.insert(at, key)
        del self._checkpoints[at // _CHECKPOINT_EVERY + 1 :]
        if at < self._folded:
            self._jump(at)

    def rewind(self, t: int | None) -> None:
        """Look at the events up to ``t`` (ns) only, until told otherwise; None: at all of them again."""
        self._end = None if t is None else self._upto(t)

    @property
    def state(self) -> S:
        """The state after all events, or after those that ``rewind`` left."""
        end = len(self._events) if self._end is None else self._end
        if end < self._folded or end - self._folded >= _CHECKPOINT_EVERY:
            self._jump(end)
        while self._folded < end:
            self._state = self._fold(self._state, self._events[self._folded])
            self._folded += 1
            if self._folded == len(self._checkpoints) * _CHECKPOINT_EVERY:
                self._checkpoints.append(self._state)
        return self._state

    def __len__(self) -> int:
        return len(self._events)

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(self._events[: self._end])

    @property
    def span(self) -> Span:
        """From the first event to the last. Raises IndexError when there is none."""
        return Span(self._keys[0][0], self._keys[-1][0])

    def at(self, t: int) -> S:
        """The state as it stood at ``t`` (ns), from the same events."""
        end = self._upto(t)
        self.state  # noqa: B018 - fold what is new, so that the checkpoints are there
        index = min(end // _CHECKPOINT_EVERY, len(self._checkpoints) - 1)
        return reduce(self._fold, self._events[index * _CHECKPOINT_EVERY : end], self._checkpoints[index])

    def _upto(self, t: int) -> int:
        return bisect_right(self._keys, (t, "\U0010ffff", 0))

    def _jump(self, end: int) -> None:
        """Stand at the last checkpoint that is not behind ``end``, unless that leads back for nothing."""
        index = min(end // _CHECKPOINT_EVERY, len(self._checkpoints) - 1)
        if end < self._folded or index * _CHECKPOINT_EVERY > self._folded:
            self._state = self._checkpoints[index]
            self._folded = index * _CHECKPOINT_EVERY


class RunLog(FoldLog[RunState]):
    """The events of one run."""

    def __init__(self) -> None:
        super().__init__(fold_run, RunState())


class SessionLog:
    """A session as it goes on: its own state, and the runs.

    The events of the last runs are in memory, as many as make ``in_memory`` events; those of the others are on a shelf,
    and of them only the state is in memory.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self.session = SessionState()
        self._said: list[Event] = []
        """The events that ``fold_session`` takes notice of, as they came."""
        self._logs: dict[int, RunLog] = {}
        self._past: dict[int, RunState] = {}
        self._spans: dict[int, Span] = {}
        self._room = in_memory
        self._shelf: Shelf | None = None
        self._first: int | None = None
        self._last = 0

    def add(self, event: Event) -> None:
        self._first = event.t if self._first is None or event.t < self._first else self._first
        self._last = max(self._last, event.t)
        if type(event) in SESSION_KINDS:
            self.session = fold_session(self.session, event)
            self._said.append(event)
        if event.run:
            known = event.run in self._logs
            (self._logs[event.run] if known else self._begin(event.run)).add(event)
            if not known:
                self._put_away()

    def extend(self, events: Iterable[Event]) -> None:
        for event in events:
            self.add(event)

    # --- what is now ----------------------------------------------------------------------------------

    @property
    def runs(self) -> Sequence[int]:
        """The numbers of all runs, in the order of their first events' arrival."""
        return tuple(self._spans)

    @property
    def latest(self) -> int:
        """The number of the newest run that has started; 0 before the first."""
        return max(self._spans, default=0)

    def run(self, number: int) -> RunState:
        """The state of a run; an empty one for a number that is not there."""
        log = self._logs.get(number)
        return self._past.get(number, _NONE) if log is None else log.state

    # --- looking back ---------------------------------------------------------------------------------

    def archive(self) -> SoFar:
        """The session up to now, for a player. Raises ValueError when nothing has happened yet."""
        if self._first is None:
            raise ValueError("nothing has happened yet")
        spans = {**self._spans, **{number: log.span for number, log in self._logs.items()}}
        ordered = {number: spans[number] for number in sorted(spans, key=spans.__getitem__)}
        return SoFar(Span(self._first, self._last), ordered, sorted(self._said, key=order_key), self.events)

    def events(self, run: int) -> Sequence[Event]:
        """All events of a run, in order. Raises KeyError."""
        log = self._logs.get(run)
        if log is not None:
            return log.events
        if self._shelf is None:
            raise KeyError(run)
        return self._shelf.take(run)

    # --- what is kept where ---------------------------------------------------------------------------

    def _begin(self, number: int) -> RunLog:
        """A log for a run that is new, or was put away and has a late event now."""
        log = RunLog()
        for event in self.events(number) if self._past.pop(number, None) else ():
            log.add(event)
        self._logs[number] = log
        self._spans.setdefault(number, Span(0, 0))
        return log

    def _put_away(self) -> None:
        """The oldest runs that are over, until the others have room."""
        held = sum(map(len, self._logs.values()))
        for number in sorted(self._logs)[:-1]:
            log = self._logs[number]
            if held <= self._room:
                return
            if log.state.open:
                continue
            try:
                self._shelf = self._shelf or Shelf()
                self._shelf.put(number, log.events)
            except OSError:
                # No room on the disk: memory it is, as long as it lasts.
                return
            self._past[number], self._spans[number] = log.state, log.span
            held -= len(log)
            del self._logs[number]


@dataclass(frozen=True, slots=True)
class SoFar:
    """An ``Archive`` of a session that goes on: the runs that there were when it was made."""

    whole: Span
    spans: Mapping[int, Span]
    session: Sequence[Event]
    events: Callable[[int], Sequence[Event]]

    def edges(self, run: int) -> Sequence[Event]:
        return [event for event in self.events(run) if type(event) not in TICKS]
