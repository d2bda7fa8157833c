"""What becomes of an HTTP call's resources, and what is left of them: told by pool, sockets and tap alone."""

from __future__ import annotations

import asyncio
from typing import Protocol

from probes.events import LanePlan
from probes.lanes.bench import Bench
from probes.lanes.holding import Holding
from probes.lanes.http.client import Client
from probes.lanes.http.company import Company
from probes.lanes.http.request import Request
from probes.lanes.http.stages import Stage
from probes.middleware import Chain

SLOT, CONNECTION, STREAM = "pool slot", "connection", "stream"


class Leaver(Protocol):
    """The lane, as what remains of it needs it."""

    bench: Bench
    plan: LanePlan
    over: asyncio.Event
    resource: str
    stage: Stage
    company: Company
    request: Request
    made: Client | None
    chain: Chain
    holding: Holding


def resource_of(stage: Stage, plan: LanePlan) -> str:
    """What a call holds in this stage; on HTTP/1.1 a stream is a slot of the pool."""
    return SLOT if stage.resource == STREAM and plan.protocol != "http/2" else stage.resource


class Remains:
    """What one lane's call holds still."""

    def __init__(self, lane: Leaver) -> None:
        self._lane, self._http2 = lane, lane.plan.protocol == "http/2"

    async def back(self) -> str | None:
        """Wait until the call's resource is back; None where it is lost."""
        how, resource = await self._ended(), self._lane.resource
        if resource == STREAM:
            return how
        if self.lost() or self.dead():
            return None
        return f"{resource} {'closed' if resource == CONNECTION else 'back'}, {how}"

    async def _ended(self) -> str:
        """Wait for the end of what the call had on the wire; how it ended."""
        lane = self._lane
        if lane.stage.resource == STREAM and not lane.plan.tls:
            evidence = await lane.holding.exchange_gone()
            if self._http2:
                return evidence
            await self._calls_over()
            return self._fate()
        await self._calls_over()
        if lane.request.complete and lane.resource != CONNECTION:
            return "response complete"
        if not self._client.network.streams or lane.plan.phase == "pool wait":
            return "no connection was made"
        if lane.chain.detaches and self.lost():
            return "nobody closes its response"
        return await lane.bench.ledger.hangup()

    async def _calls_over(self) -> None:
        """Until nobody is at it, its caller or a link that goes on for one who has left."""
        await self._lane.over.wait()
        await self._lane.chain.idle()

    def _fate(self) -> str:
        if not self._client.network.streams:
            return "no connection was made"
        return f"connection {'kept' if self._client.pool.connections else 'closed'}"

    @property
    def _client(self) -> Client:
        assert self._lane.made is not None
        return self._lane.made

    def _live(self) -> int:
        """Requests of the lane's that are under way."""
        return self._lane.company.live() + (not self._lane.over.is_set())

    def lost(self) -> int:
        """Slots of the pool that are taken, and by nobody who lives."""
        if self._lane.made is None:
            return 0
        live = self._live()
        return max(0, self._client.busy() - (min(1, live) if self._http2 else live))

    def dead(self) -> int:
        """Connections that the pool keeps although their peer has ended them."""
        if self._lane.made is None or self._lane.resource != CONNECTION:
            return 0
        kept = [stream for stream in self._client.network.streams if not stream.closed]
        return min(self._client.idle(), sum(bool(stream.get_extra_info("is_readable")) for stream in kept))

    def held(self) -> dict[str, int]:
        """By name. Only once there is a client."""
        lane, client = self._lane, self._client
        owned = sum(not each.is_closed() for each in client.pool.connections)
        open_ones = sum(stream.is_open() for stream in client.network.streams)
        return {
            "pool slots": self.lost(),
            "requests": max(0, sum(client.requests()) - self._live()),
            "streams": int(lane.resource == STREAM and lane.holding.stream),
            "sockets": max(0, open_ones - owned),
            "unsent FIN": max(0, lane.bench.ledger.unended() - open_ones),
            "dead connections": self.dead(),
            "resolver threads": 0 if lane.stage.resolver is None else lane.stage.resolver.running,
        }
