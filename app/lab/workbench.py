"""Taps and sessions, one of each for a lane: what stands between the clients under test and the servers.

A lane that was used once keeps its tap and its address for the session; a run may have several lanes of one protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app.lab.own import OwnServers
from probes.catalogue import PROTOCOLS, ends_its_server
from probes.events import CALLED_BY, LanePlan
from probes.lanes.base import Lane
from probes.lanes.bench import Bench, ServersLink
from probes.lanes.grpc import GrpcLane, GrpcSession
from probes.lanes.hop import HopLane
from probes.lanes.http import HttpSession
from probes.lanes.postgres import Backends, Login, PostgresSession
from probes.sink import Sink
from probes.tap.decode import http_conversation, postgres_conversation
from probes.tap.proxy import Address, Tap
from probes.tap.seen import Tag
from probes.tap.witness import Ledger
from probes.tasks import TaskKeeper


class LaneError(Exception):
    """A lane cannot be made; the text says which and why."""


class Session(Protocol):
    """What a lane keeps over the runs."""

    def lane(self, run: int, plan: LanePlan) -> Lane: ...

    async def warm(self, plan: LanePlan) -> None:
        """Open what is kept over the runs, so that it does not look like something that a run left behind."""

    async def held(self) -> dict[str, int]:
        """What is held on the far side, as far as this session can tell."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Place:
    """A lane's place: which protocol it speaks, and to which of the services."""

    lane: str
    protocol: str
    service: str


def place_of(plan: LanePlan) -> Place:
    """Where a plan's lane belongs."""
    if plan.protocol in ("grpc", "postgres"):
        return Place(plan.lane, plan.protocol, plan.protocol)
    service = str(plan.options.get("server", "http"))
    # Our own server is one, and speaks TLS or not.
    return Place(plan.lane, plan.protocol, "https" if plan.tls and service == "http" else service)


DEFAULTS = tuple(place_of(LanePlan(lane=name, protocol=name, phase="")) for name in PROTOCOLS)
"""The lanes that are there before anybody asks for one."""


MakeHouse = Callable[[Tag], OwnServers]
"""Makes the servers of one lane of one run."""

_NOWHERE = ("127.0.0.1", 0)
"""Where a tap leads whose servers are still to come."""


class Workbench:
    """Leads each lane's tap to its server, wherever that is after a restart; the taps' addresses stay."""

    def __init__(self, sink: Sink, tasks: TaskKeeper, servers: ServersLink, make_house: MakeHouse) -> None:
        self._sink, self._tasks, self._servers, self._make_house = sink, tasks, servers, make_house
        self._upstreams: dict[str, Address] = {}
        self._login: Login | None = None
        self._backends: Backends | None = None
        self._ca = ""
        self._benches: dict[Place, Bench] = {}
        self._sessions: dict[Place, Session] = {}

    @property
    def upstreams(self) -> dict[str, Address]:
        """Where the services are, by name."""
        return dict(self._upstreams)

    @property
    def login(self) -> Login:
        """How to log in to PostgreSQL, past the taps, once it is there."""
        assert self._login is not None
        return self._login

    @property
    def addresses(self) -> dict[str, str]:
        """``host:port`` of the taps by lane."""
        return {place.lane: "{}:{}".format(*bench.address) for place, bench in self._benches.items()}

    async def serve(self, upstreams: dict[str, Address], *, ca: str = "") -> None:
        """These services are there now, at these addresses; ``ca``: whom those over TLS are to be trusted by (PEM).

        Raises what the clients' libraries raise.
        """
        self._upstreams |= upstreams
        self._ca = ca or self._ca
        for place in {*self._benches, *DEFAULTS}:
            if place.service in upstreams:
                await self._open(place)

    async def serve_postgres(self, login: Login) -> None:
        """The same for PostgreSQL."""
        old, self._login = self._backends, login
        self._backends = Backends(login, self._sink.clock, self._tasks)
        await self._backends.open()
        if old is not None:
            await old.close()
        await self.serve({"postgres": (login.host, login.port)})

    async def lane(self, run: int, plan: LanePlan) -> Lane:
        """A lane for one run; from now on new connections of its tap belong to that run.

        Raises LaneError.
        """
        if ends_its_server(plan):
            return self._housed(run, plan)
        place = place_of(plan)
        if CALLED_BY in plan.options:
            return self._hop(place, run, plan)
        if place not in self._sessions:
            await self._open_first(place)
        session = self._sessions[place]
        await session.warm(plan)
        self._benches[place].ledger.expect(run, plan.lane)
        return session.lane(run, plan)

    def _hop(self, place: Place, run: int, plan: LanePlan) -> Lane:
        bench = self._bench(place)
        bench.ledger.expect(run, plan.lane)
        return HopLane(bench, run, plan, self._login if plan.protocol == "postgres" else None)

    def _housed(self, run: int, plan: LanePlan) -> Lane:
        """A lane with servers, a tap and a channel of its own, which it opens and closes by itself."""
        whose = Tag(run, plan.lane)
        ledger = Ledger(self._sink, plan.lane, http_conversation)
        ledger.expect(run, plan.lane)
        tap = Tap(ledger.witness, _NOWHERE, self._sink.clock, ledger)
        house = self._make_house(whose)
        return GrpcLane(Bench(self._sink, tap.start(), ledger, tap, self._tasks, house), run, plan, house=house)

    async def held(self) -> dict[str, int]:
        """Connections through the taps, and what the sessions know of the far side."""
        held = {"connections": sum(len(bench.tap.links) for bench in self._benches.values())}
        if self._backends is not None:
            held |= await self._backends.held()
        for session in self._sessions.values():
            held |= await session.held()
        return held

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        if self._backends is not None:
            await self._backends.close()
        for bench in self._benches.values():
            bench.tap.close()

    def _bench(self, place: Place) -> Bench:
        upstream = self._upstreams[place.service]
        bench = self._benches.get(place)
        if bench is not None:
            bench.tap.upstream = upstream
            return bench
        conversation = postgres_conversation if place.protocol == "postgres" else http_conversation
        ledger = Ledger(self._sink, place.lane, conversation)
        tap = Tap(ledger.witness, upstream, self._sink.clock, ledger)
        bench = Bench(self._sink, tap.start(), ledger, tap, self._tasks, self._servers)
        self._benches[place] = bench
        return bench

    async def _open_first(self, place: Place) -> None:
        if place.service not in self._upstreams:
            raise LaneError(f"{place.lane}: there is no service {place.service!r}: {', '.join(self._upstreams)}")
        try:
            await self._open(place)
        except Exception as error:
            raise LaneError(f"{place.lane}: {type(error).__name__} {error}") from error

    async def _open(self, place: Place) -> None:
        session, old = await self._session(place), self._sessions.get(place)
        self._sessions[place] = session
        if old is not None:
            await old.close()

    async def _session(self, place: Place) -> Session:
        bench = self._bench(place)
        if place.protocol == "grpc":
            return GrpcSession(bench)
        if place.protocol != "postgres":
            return HttpSession(bench, ca=self._ca)
        assert self._login is not None
        assert self._backends is not None
        return PostgresSession(bench, self._login, self._backends)
