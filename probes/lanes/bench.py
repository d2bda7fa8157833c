"""What every lane works with, and who is behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from probes.events import LanePlan
from probes.sink import Sink
from probes.tap.proxy import Address, Tap
from probes.tap.witness import Ledger
from probes.tasks import TaskKeeper


class ServersLink(Protocol):
    """The servers process, as far as a lane may reach it."""

    def call_on(self, hop: Mapping[str, object]) -> None:
        """Have the handler of a lane make a call of its own (``servers.hops.Hop``)."""

    def strike(self, run: int, lane: str, how: str, grace: float | None = None) -> None:
        """Have the server side of a lane act, by one of the hows of ``servers.process``."""

    async def entered(self, run: int, lane: str) -> None:
        """Return when a handler of this run and lane runs."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a lane works with: where events go, its tap and the tap's address, what the tap knows, who keeps tasks,
    and the servers behind it."""

    sink: Sink
    address: Address
    ledger: Ledger
    tap: Tap
    tasks: TaskKeeper
    servers: ServersLink

    def disturb(self, plan: LanePlan, at: str) -> None:
        """Let the plan's faults begin that begin here: at the ``start``, in its ``phase``, at the ``trigger``."""
        for fault in plan.faults:
            if fault.at == at:
                self.tap.inject(fault)
