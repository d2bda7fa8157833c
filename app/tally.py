"""What a session has tried so far, kept as its runs settle: each run is folded once, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from probes.state import RunState
from probes.tried import Cell, Tried, add_tried, tried


class Tally:
    """``runs``: the numbers of the runs that there are, the newest last; ``state``: how one of them ended, or stands.
    ``at_once``: how many are folded in one ``update``, because the runs of a recording have to be decoded for it."""

    def __init__(
        self, runs: Callable[[], Iterable[int]], state: Callable[[int], RunState], *, at_once: int = 500
    ) -> None:
        self._runs, self._state, self._at_once = runs, state, at_once
        self._found: dict[int, tuple[tuple[Cell, str], ...]] = {}
        self.cells: Mapping[Cell, Tried] = {}
        self.left = 0
        """Runs that are not counted yet."""

    def update(self) -> bool:
        """Count what is new; whether anything is another than before."""
        before = (self.cells, self.left)
        numbers = list(self._runs())
        new = [number for number in numbers[:-1] if number not in self._found]
        for number in new[: self._at_once]:
            self._found[number] = tuple(tried(self._state(number)))
        # The newest may still be open: it is looked at again each time.
        newest = tuple(tried(self._state(numbers[-1]))) if numbers else ()
        found = [*(each for number in numbers[:-1] for each in self._found.get(number, ())), *newest]
        self.cells, self.left = add_tried({}, found), max(0, len(new) - self._at_once)
        return before != (self.cells, self.left)
