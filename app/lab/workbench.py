"""Taps and sessions, one of each for a protocol: what stands between the clients under test and the servers."""

from __future__ import annotations

from typing import Protocol

from probes.events import LanePlan
from probes.lanes.base import Bench, Lane
from probes.lanes.grpc import GrpcSession
from probes.lanes.http import HttpSession
from probes.lanes.postgres import Login, PostgresSession
from probes.sink import Sink
from probes.tap.decode import http_conversation, postgres_conversation
from probes.tap.proxy import Address, Tap
from probes.tap.witness import Ledger

PROTOCOLS = ("grpc", "http/1.1", "http/2", "postgres")


class Session(Protocol):
    """What a protocol keeps over the runs."""

    def lane(self, run: int, plan: LanePlan) -> Lane: ...
    async def close(self) -> None: ...


class Workbench:
    """Leads each protocol's tap to its server, wherever that is after a restart; the taps' addresses stay."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._taps: dict[str, Tap] = {}
        self._ledgers: dict[str, Ledger] = {}
        self._sessions: dict[str, Session] = {}
        self._addresses: dict[str, Address] = {}

    @property
    def addresses(self) -> dict[str, str]:
        """``host:port`` of the taps by protocol."""
        return {name: f"{host}:{port}" for name, (host, port) in self._addresses.items()}

    async def connect(self, protocol: str, upstream: Address) -> None:
        """Lead an HTTP or gRPC tap to ``upstream`` and open a session through it."""
        bench = self._bench(protocol, upstream)
        if protocol == "grpc":
            await self._open(protocol, GrpcSession(bench))
        else:
            await self._open(protocol, HttpSession(bench, http2=protocol == "http/2"))

    async def connect_postgres(self, login: Login) -> None:
        """The same for PostgreSQL. Raises what asyncpg raises."""
        session = PostgresSession(self._bench("postgres", (login.host, login.port)), login)
        await session.open()
        await self._open("postgres", session)

    def lane(self, run: int, plan: LanePlan) -> Lane:
        """A lane for one run; from now on new connections of its tap belong to that run."""
        self._ledgers[plan.protocol].expect(run, plan.lane)
        return self._sessions[plan.protocol].lane(run, plan)

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        for tap in self._taps.values():
            tap.close()

    def _bench(self, protocol: str, upstream: Address) -> Bench:
        tap = self._taps.get(protocol)
        if tap is None:
            conversation = postgres_conversation if protocol == "postgres" else http_conversation
            ledger = self._ledgers[protocol] = Ledger(self._sink, protocol, conversation)
            tap = self._taps[protocol] = Tap(ledger.witness, upstream, self._sink.clock)
            self._addresses[protocol] = tap.start()
        tap.upstream = upstream
        return Bench(self._sink, self._addresses[protocol], self._ledgers[protocol])

    async def _open(self, protocol: str, session: Session) -> None:
        old = self._sessions.get(protocol)
        self._sessions[protocol] = session
        if old is not None:
            await old.close()
