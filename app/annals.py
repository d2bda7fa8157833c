"""The runs of a session as lines, kept as they settle: each run is looked at once, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from probes.history import Entry, entry
from probes.state import RunState

MOST = 1000
"""Runs that are kept: more nobody scrolls through."""


class Annals:
    """``runs``: the numbers of the runs that there are, the newest last; ``state``: how one of them ended, or stands.
    ``at_once``: how many are looked at in one ``update``, because the runs of a recording have to be decoded for it."""

    def __init__(
        self, runs: Callable[[], Iterable[int]], state: Callable[[int], RunState], *, at_once: int = 500
    ) -> None:
        self._runs, self._state, self._at_once = runs, state, at_once
        self._found: dict[int, Entry] = {}
        self.entries: tuple[Entry, ...] = ()
        """The last runs, the oldest first."""
        self.left = 0
        """Runs that have not been looked at yet."""

    def update(self) -> bool:
        """Look at what is new; whether anything is another than before."""
        before = (self.entries, self.left)
        numbers = list(self._runs())[-MOST:]
        # From the newest back: those are asked for first. One that is open is looked at again each time.
        new = [number for number in reversed(numbers) if number not in self._found]
        found = {number: entry(self._state(number)) for number in new[: self._at_once]}
        self._found.update((number, each) for number, each in found.items() if each.outcome)
        known = {**self._found, **found}
        self.entries = tuple(known[number] for number in numbers if number in known)
        self.left = max(0, len(new) - self._at_once)
        return before != (self.entries, self.left)
