"""Keeps the runs of a session as events arrive, in whatever order the processes deliver them.

Events of different processes come some ms out of order. Within a run the order is by ``fold.order_key``: an
event that belongs before ones already folded re-folds its run from the last checkpoint in front of it.
States are immutable, so a checkpoint is a reference.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from probes.events import Event
from probes.fold import fold_run, fold_session, order_key
from probes.state import RunState, SessionState

_CHECKPOINT_EVERY = 64


class RunLog:
    """The events of one run in order, and the state they fold to."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._keys: list[tuple[int, str, int]] = []
        self._checkpoints: list[RunState] = [RunState()]
        self._folded = 0
        self._state = RunState()

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
        if at < self._folded:
            self._rewind(at)

    @property
    def state(self) -> RunState:
        while self._folded < len(self._events):
            self._state = fold_run(self._state, self._events[self._folded])
            self._folded += 1
            if self._folded % _CHECKPOINT_EVERY == 0:
                self._checkpoints.append(self._state)
        return self._state

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(self._events)

    def at(self, t: int) -> RunState:
        """The run as it stood at ``t`` (ns), from the same events."""
        end = bisect_right(self._keys, (t, "\U0010ffff", 0))
        self.state  # noqa: B018 - fold what is new, so that the checkpoints are there
        index = end // _CHECKPOINT_EVERY
        state = self._checkpoints[index]
        for event in self._events[index * _CHECKPOINT_EVERY : end]:
            state = fold_run(state, event)
        return state

    def _rewind(self, at: int) -> None:
        index = at // _CHECKPOINT_EVERY
        del self._checkpoints[index + 1 :]
        self._state = self._checkpoints[index]
        self._folded = index * _CHECKPOINT_EVERY


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
