"""The menu of faults: what can be done to the connections of a lane while its run is open. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app import commands
from probes import catalogue
from probes.events import TO_CLIENT, TO_SERVER, Direction, FaultPlan
from probes.state import LaneState

DIRECTIONS: tuple[Direction, ...] = ("", TO_SERVER, TO_CLIENT)


@dataclass(frozen=True, slots=True)
class Item:
    """``letter`` does it at once. ``fault``: what begins; None: everything that stands ends."""

    letter: str
    label: str
    fault: FaultPlan | None

    @property
    def help(self) -> str:
        return "everything that stands ends" if self.fault is None else catalogue.FAULTS[self.fault.kind]

    @property
    def turns(self) -> bool:
        """Whether it can work in one direction alone."""
        return self.fault is not None and self.fault.kind in ("freeze", "black-hole", "slow")


ITEMS: tuple[Item, ...] = (
    Item("f", "freeze", FaultPlan(kind="freeze")),
    Item("t", "thaw", None),
    Item("b", "black hole", FaultPlan(kind="black-hole")),
    Item("s", "slow reader, 1 KiB/s", FaultPlan(kind="slow", rate=1024)),
    Item("l", "lose CancelRequest", FaultPlan(kind="lose-cancel")),
    Item("d", "delay CancelRequest, 500 ms", FaultPlan(kind="delay-cancel", seconds=0.5)),
    Item("r", "cut by RST", FaultPlan(kind="cut", how="RST")),
    Item("n", "cut by FIN", FaultPlan(kind="cut", how="FIN")),
)


def items(protocol: str) -> tuple[Item, ...]:
    """What there is for a lane of ``protocol``: only PostgreSQL has CancelRequests."""
    return tuple(
        item
        for item in ITEMS
        if protocol == "postgres" or item.fault is None or not item.fault.kind.endswith("-cancel")
    )


@dataclass(frozen=True, slots=True)
class Menu:
    """``number``: the lane's, from 1. ``standing``: kinds of the faults that stand on it."""

    lane: str
    number: int
    items: tuple[Item, ...]
    standing: frozenset[str]
    index: int = 0
    direction: Direction = ""

    @property
    def item(self) -> Item:
        return self.items[self.index]

    def moved(self, by: int) -> Menu:
        return replace(self, index=(self.index + by) % len(self.items))

    def turned(self, by: int) -> Menu:
        """The next direction: both, towards the server, towards the client."""
        return replace(self, direction=DIRECTIONS[(DIRECTIONS.index(self.direction) + by) % len(DIRECTIONS)])

    def named(self, letter: str) -> Item | None:
        return next((item for item in self.items if item.letter == letter), None)

    def command(self, item: Item) -> commands.Fault | commands.Clear:
        """What the lab is asked for."""
        if item.fault is None:
            return commands.Clear(lane=self.lane)
        fault = replace(item.fault, direction=self.direction) if item.turns else item.fault
        return commands.Fault(lane=self.lane, fault=fault)


def menu(lane: LaneState, index: int) -> Menu:
    """The menu for a lane as it is now; ``index``: where it is among the lanes, from 0."""
    standing = frozenset(fault.kind for fault in lane.faults if fault.until is None)
    return Menu(lane.name, index + 1, items(lane.plan.protocol), standing)
