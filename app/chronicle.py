"""The list of runs that is looked at, the one that is chosen in it, and what that is compared with. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from probes.history import Entry, alike, before


@dataclass(frozen=True, slots=True)
class Chronicle:
    """``entries``: the oldest first. ``run``: the number of the one that is chosen; ``pinned``: that of the one that
    others are compared with, 0 for none; ``left``: runs that have not been looked at yet."""

    entries: tuple[Entry, ...]
    run: int = 0
    pinned: int = 0
    lane: int = 0
    left: int = 0

    @property
    def chosen(self) -> Entry | None:
        """The newest where the number is not there."""
        found = next((each for each in self.entries if each.run == self.run), None)
        return found or (self.entries[-1] if self.entries else None)

    @property
    def reference(self) -> Entry | None:
        """The pinned run, or else the last of the same scenario before the chosen one."""
        chosen = self.chosen
        if chosen is None:
            return None
        pinned = next((each for each in self.entries if each.run == self.pinned), None)
        if pinned is not None and pinned.run != chosen.run:
            return pinned
        return before(self.entries, chosen)

    @property
    def alike(self) -> list[Entry]:
        """All that settled of the chosen one's scenario."""
        chosen = self.chosen
        return [] if chosen is None else alike(self.entries, chosen.scenario)

    def moved(self, by: int) -> Chronicle:
        """Up is to newer runs: the newest stands first."""
        chosen = self.chosen
        if chosen is None:
            return self
        at = self.entries.index(chosen) - by
        return replace(self, run=self.entries[max(0, min(at, len(self.entries) - 1))].run)

    def other_lane(self, by: int) -> Chronicle:
        lanes = len(self.chosen.lanes) if self.chosen else 0
        return replace(self, lane=(self.lane + by) % lanes if lanes else 0)

    def with_pin(self) -> Chronicle:
        """The chosen run is pinned; again: none is."""
        number = self.chosen.run if self.chosen else 0
        return replace(self, pinned=0 if self.pinned == number else number)
