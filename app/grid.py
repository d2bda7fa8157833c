"""The grid of lanes, phases and causes as one walks over it: where one stands, and what is known of that cell. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from app.coverage import Cell
from probes.catalogue import CAUSES, PHASES, PROTOCOLS
from probes.tried import Tried


@dataclass(frozen=True, slots=True)
class Grid:
    """``cells``: all of them, by protocol, phase and cause. ``left``: runs of the session that are not counted yet."""

    cells: Mapping[tuple[str, str, str], Cell]
    tried: Mapping[tuple[str, str, str], Tried] = field(default_factory=dict)
    left: int = 0
    lane: int = 0
    phase: int = 0
    cause: int = 0

    @property
    def protocol(self) -> str:
        return PROTOCOLS[self.lane]

    @property
    def key(self) -> tuple[str, str, str]:
        return self.protocol, PHASES[self.protocol][self.phase], CAUSES[self.protocol][self.cause]

    @property
    def cell(self) -> Cell:
        return self.cells[self.key]

    def at(self, protocol: str, phase: str, cause: str) -> Grid:
        """At the cell of a lane; where there is no such cell, as it was."""
        if (protocol, phase, cause) not in self.cells:
            return self
        lane = PROTOCOLS.index(protocol)
        return replace(self, lane=lane, phase=PHASES[protocol].index(phase), cause=CAUSES[protocol].index(cause))

    def moved(self, phases: int, causes: int) -> Grid:
        """So many phases to the right and causes down. Behind the last phase comes the next lane; causes end."""
        phase = self.phase + phases
        cause = max(0, min(self.cause + causes, len(CAUSES[self.protocol]) - 1))
        if 0 <= phase < len(PHASES[self.protocol]):
            return replace(self, phase=phase, cause=cause)
        other = self.other_lane(1 if phases > 0 else -1)
        return replace(other, phase=0 if phases > 0 else len(PHASES[other.protocol]) - 1)

    def other_lane(self, by: int) -> Grid:
        """The same place in the next lane, or the one before; round and round."""
        lane = (self.lane + by) % len(PROTOCOLS)
        phases, causes = PHASES[PROTOCOLS[lane]], CAUSES[PROTOCOLS[lane]]
        return replace(self, lane=lane, phase=min(self.phase, len(phases) - 1), cause=min(self.cause, len(causes) - 1))

    def counts(self, protocol: str = "") -> tuple[int, int, int]:
        """(tried, with a scenario, possible) cells of a protocol, or of all."""
        cells = [cell for key, cell in self.cells.items() if protocol in ("", key[0]) and not cell.why]
        done = sum((cell.lane, cell.phase, cell.cause) in self.tried for cell in cells)
        return done, sum(bool(cell.by) for cell in cells), len(cells)
