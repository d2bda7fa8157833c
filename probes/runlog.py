"""Keeps the runs of a session as events arrive, in whatever order the processes deliver them.

Events of different processes come some ms out of order. Within a run the order is by ``fold.order_key``: an
event that belongs before ones already folded re-folds its run from the last checkpoint in front of it.
States are immutable, so a checkpoint is a reference.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import reduce
from typing import Generic, TypeVar

from probes.events import Event
from probes.fold import fold_run, fold_session, order_key
from probes.state import RunState, SessionState

_CHECKPOINT_EVERY = 64

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
    """A session: its own state, and a ``RunLog`` a run."""

    def __init__(self) -> None:
        self.session = SessionState()
        self.runs: dict[int, RunLog] = {}

    def add(self, event: Event) -> None:
        self.session = fold_session(self.session, event)
        if event.run:
            self.runs.setdefault(event.run, RunLog()).add(event)

    def extend(self, events: Iterable[Event]) -> None:
        for event in events:
            self.add(event)

    @property
    def latest(self) -> int:
        """The number of the newest run that has started; 0 before the first."""
        return max(self.runs, default=0)

    def run(self, number: int) -> RunState:
        """The state of a run; an empty one for a number that is not there."""
        log = self.runs.get(number)
        return RunState() if log is None else log.state
