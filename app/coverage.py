"""Which cells of the grid lane x phase x cause some scenario reaches, which cannot be, and which are missing. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from app.settings import RunSettings
from probes import catalogue
from probes.events import CALLED_BY

REACHED = "reached"
IMPOSSIBLE = "impossible"
MISSING = "missing"

_SHOWN = 3
"""Scenarios that a line names; more are counted."""


class Named(Protocol):
    """What is needed of a scenario that was loaded."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> RunSettings: ...


@dataclass(frozen=True, slots=True)
class Cell:
    """``by``: the names of the scenarios that reach it; ``why``: why it cannot be."""

    lane: str
    phase: str
    cause: str
    by: tuple[str, ...] = ()
    why: str = ""

    @property
    def state(self) -> str:
        if self.by:
            return REACHED
        return IMPOSSIBLE if self.why else MISSING


def cover(scenarios: Iterable[Named]) -> list[Cell]:
    """Every cell, in the catalogue's order."""
    by: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for loaded in scenarios:
        # A hop is called by another lane's handler: nothing strikes it but what comes through that.
        own = [lane for lane in loaded.settings.lanes if CALLED_BY not in lane.options]
        cells = [(lane.protocol, lane.phase, lane.cause) for lane in own]
        for cell in dict.fromkeys(cells):
            by[cell].append(loaded.name)
    return [
        Cell(protocol, phase, cause, tuple(by[protocol, phase, cause]), why)
        for protocol, phase, cause, why in catalogue.cells()
    ]


def totals(cells: Sequence[Cell]) -> dict[str, dict[str, int]]:
    """Counts by lane and state, with ``all`` as the last lane."""
    lanes = [*dict.fromkeys(cell.lane for cell in cells), "all"]
    states = (REACHED, IMPOSSIBLE, MISSING)
    return {
        lane: {state: sum(cell.state == state and lane in (cell.lane, "all") for cell in cells) for state in states}
        for lane in lanes
    }


def as_json(cells: Sequence[Cell]) -> dict[str, object]:
    found = [asdict(cell) | {"state": cell.state, "by": list(cell.by)} for cell in cells]
    return {"cells": found, "totals": totals(cells)}


def table(cells: Sequence[Cell]) -> str:
    """A line for each cell under its lane and phase, then the totals."""
    lines: list[str] = []
    above = ("", "")
    for cell in cells:
        if cell.lane != above[0]:
            lines += ["", cell.lane] if lines else [cell.lane]
        if (cell.lane, cell.phase) != above:
            lines.append(f"  {cell.phase}")
        above = (cell.lane, cell.phase)
        lines.append(f"    {cell.cause:<22} {cell.state:<11} {cell.why or _names(cell.by)}".rstrip())
    return "\n".join([*lines, "", *_totals(cells)])


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _totals(cells: Sequence[Cell]) -> list[str]:
    found = totals(cells)
    head = f"{'':<10}" + "".join(f"{state:>12}" for state in (REACHED, IMPOSSIBLE, MISSING))
    return [head, *(f"{lane:<10}" + "".join(f"{n:>12}" for n in counts.values()) for lane, counts in found.items())]
