"""One HTTP call of one run.

What the wire saw is the only evidence: httpcore sends no RST_STREAM for a cancelled HTTP/2 request, whatever its own
state says. Its trace extension runs inside the request's own task, so it may only take notes.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio

from probes.clock import Stamp
from probes.events import ChunkSent, FaultPlan, LanePlan, Layer
from probes.lanes.base import Bench, Blow, Lane, due
from probes.lanes.http.client import Client, make_client
from probes.lanes.http.company import Company
from probes.lanes.http.h2_reset import NAME as PATCHED
from probes.lanes.http.library import Library, load, timer_of
from probes.lanes.http.names import HOST
from probes.lanes.http.network import Network
from probes.lanes.http.stages import OTHER_NAME, STAGES, Idle
from probes.schema import LANE_HEADER, RUN_HEADER

HANDSHAKE = "TLS handshake"
_LOOK = 0.005
SLOT, CONNECTION, STREAM = "pool slot", "connection", "stream"


class HttpLane(Lane):
    def __init__(self, bench: Bench, context: ssl.SSLContext, run: int, plan: LanePlan) -> None:
        super().__init__(bench, run, plan)
        self._context, self._http2 = context, plan.protocol == "http/2"
        self._library: Library | None = None
        self.company = Company(self)
        self.stage = STAGES[plan.phase](self)
        self.resource = SLOT if self.stage.resource == "stream" and not self._http2 else self.stage.resource
        self._made: Client | None = None
        self._cancel_at = str(plan.options.get("cancel_at", ""))
        self._anyio = anyio.CancelScope() if plan.options.get("edge") == "anyio" else None
        self._beside: list[asyncio.Task[Any]] = []
        self._task: asyncio.Task[Any] | None = None
        self._complete = False
        self._size = self._handed = 0

    @property
    def client(self) -> Client:
        assert self._made is not None
        return self._made

    @property
    def library(self) -> Library:
        assert self._library is not None
        return self._library

    # The call -----------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        plan = self.plan
        self._library = load(str(plan.options.get("client", "httpx")))
        await self.stage.ready()
        network = Network(self.library, self.bench.sink.clock, {OTHER_NAME: HOST}, self.stage.resolver)
        self._made = make_client(self.library, plan, self._context, network)
        await self.company.abandon(int(plan.options.get("abandoned", 0)))
        if plan.options.get("sibling") == "before":
            await self.company.accompany()
        await self.stage.prepare()

    async def exchange(self) -> None:
        self._task = asyncio.current_task()
        self._start(self.stage.watch(), "watch")
        self.client.network.begin("pool")
        self.open_client(self._title())
        self.open_resource(f"{self.library.name} {'stream' if self._http2 else 'pool'}")
        if self._anyio is None:
            await self._request()
            return
        with self._anyio:
            await self._request()
        if self._anyio.cancelled_caught:
            # The scope keeps the cancellation to itself, and the caller's row would look complete.
            raise asyncio.CancelledError("anyio.CancelScope.cancel()")

    def _title(self) -> str:
        patched = f" ({PATCHED})" if self.plan.options.get("reset") else ""
        return f"{self.stage.method} {self._path()}{patched}"

    def _path(self) -> str:
        # Our own server's handlers are always told; a framework's has to look.
        options = self.plan.options
        watching = options.get("server") == "hypercorn" and options.get("watch")
        return self.stage.path() + ("&watch=1" if watching else "")

    async def _request(self) -> None:
        stream = self.client.http.stream(
            self.stage.method,
            self.url(self._path()),
            headers={RUN_HEADER: str(self.run), LANE_HEADER: self.plan.lane},
            content=self.stage.body(),
            extensions={"trace": self._trace},
        )
        async with stream as response:
            async for chunk in response.aiter_raw():
                self._got(len(chunk))
        self._complete = True
        if isinstance(self.stage, Idle):
            self._span_client().completed(f"{response.status_code}")
            await self.stage.rest()

    def url(self, path: str, host: str = "") -> str:
        name, port = self.stage.address
        return f"http{'s' if self.plan.tls else ''}://{host or name}:{port}{path}"

    def _got(self, size: int) -> None:
        """Whole chunks are counted: how the network cut them says nothing."""
        self._size += size
        new = self._size // self.plan.size - self._read
        if new:
            self.received(new * self.plan.size, new)
            self.stage.read(self._read)

    def handed_over(self, size: int) -> None:
        """httpx takes one more chunk of the request's body."""
        self._handed += 1
        self.bench.sink.emit(
            ChunkSent, run=self.run, lane=self.plan.lane, layer="client", n=1, size=size, total=self._handed
        )

    async def _trace(self, name: str, info: dict[str, Any]) -> None:
        del info
        event = name.partition(".")[2]
        self.stage.traced(event)
        if event == self._cancel_at:
            self._cancel_at = ""
            self.armed(f"httpcore: {name}")
            self._later(self._ticks)

    def armed(self, evidence: str) -> None:
        if not self.ready.is_set() and self.plan.options.get("sibling") == "after":
            self._start(self.company.accompany(), "sibling")
        super().armed(evidence)

    def _start(self, coro: Any, what: str) -> None:
        self._beside.append(self.bench.tasks.start(coro, name=f"{what} of {self.plan.lane}"))

    # How it is cancelled ------------------------------------------------------------------------------

    def blows(self) -> Mapping[str, Blow]:
        blows: dict[str, Blow] = {
            "client.aclose": self._aclose,
            "server FIN": partial(self._server, "fin"),
            "server RST": partial(self._server, "rst"),
        }
        return blows if self._anyio is None else {**blows, "task.cancel": self._cancel_scope}

    def cancel_here(self) -> None:
        """Cancel the call now, in this very turn of the loop."""
        turns = self._ticks
        after = f"{turns} turn{'' if turns == 1 else 's'} of the loop after {self.plan.options['cancel_at']}"
        self.fire(self.plan.cause, after)

    @property
    def _ticks(self) -> int:
        return int(self.plan.options.get("ticks", 1))

    def _later(self, ticks: int) -> None:
        if ticks < 1:
            self.cancel_here()
        else:
            asyncio.get_running_loop().call_soon(self._later, ticks - 1)

    def _cancel_scope(self) -> Layer:
        assert self._anyio is not None
        self._anyio.cancel()
        return "caller"

    def _aclose(self) -> Layer:
        self._start(self._close_client(), "client.aclose")
        return "client"

    async def _close_client(self) -> None:
        await self.client.http.aclose()
        self._struck()

    @property
    def how(self) -> str:
        if self.plan.phase == HANDSHAKE and self.plan.cause.startswith("server"):
            return "cut by the tap"
        if self._anyio is not None and self.plan.cause == "task.cancel":
            return "CancelScope.cancel"
        return super().how

    def _server(self, how: str) -> Layer:
        if self.plan.phase == HANDSHAKE:
            # The server's application has not got the connection yet: the tap ends it in the server's place.
            self.bench.tap.inject(FaultPlan(kind="cut", how=how.upper()))
            return "server"
        self.bench.servers.strike(self.run, self.plan.lane, how)
        self._start(self._server_struck(), how)
        return "server"

    async def _server_struck(self) -> None:
        """Until the news is in the client's kernel, which is where an idle client leaves it."""
        while not self._dead():  # noqa: ASYNC110 - nobody reads, so nobody is told
            await asyncio.sleep(_LOOK)
        self._struck()

    def _struck(self) -> None:
        if isinstance(self.stage, Idle):
            self.stage.struck.set()

    def own_timeout(self, error: BaseException) -> tuple[str, Stamp] | None:
        name = timer_of(error)
        timeout = None if name is None else self.timeout(name)
        since = None if name is None else self.client.network.since.get(name)
        if timeout is None or since is None:
            return None
        return f"{self.library.name} {name} timeout", due(since, timeout)

    # What becomes of it -------------------------------------------------------------------------------

    async def released(self) -> str | None:
        after = self.bench.tasks.start(self._follow_up(), name=f"after {self.plan.lane}")
        self._beside.append(after)
        if self.resource == CONNECTION:
            await self.over.wait()
            await asyncio.wait({after})
        evidence = await self._back()
        if evidence is not None:
            self.resource_released(evidence)
        if self.stage.resolver is not None:
            await self.stage.resolver.idle()
        await asyncio.wait({after})
        return evidence

    async def _follow_up(self) -> None:
        await self.over.wait()
        await self.company.follow_up()

    async def _back(self) -> str | None:
        """Wait until the call's resource is back; None where it is lost."""
        how = await self._ended()
        if self.resource == STREAM:
            return how
        if self._lost() or self._dead():
            return None
        return f"{self.resource} {'closed' if self.resource == CONNECTION else 'back'}, {how}"

    async def _ended(self) -> str:
        """Wait for the end of what the call had on the wire; how it ended."""
        if self.stage.resource == STREAM and not self.plan.tls:
            evidence = await self.exchange_gone()
            if self._http2:
                return evidence
            await self.over.wait()
            return self._fate()
        await self.over.wait()
        if self._complete and self.resource != CONNECTION:
            return "response complete"
        if not self.client.network.streams or self.plan.phase == "pool wait":
            return "no connection was made"
        return await self.bench.ledger.hangup()

    def _fate(self) -> str:
        if not self.client.network.streams:
            return "no connection was made"
        return f"connection {'kept' if self.client.pool.connections else 'closed'}"

    def _lost(self) -> int:
        """Slots of the pool that are taken, and by nobody who lives."""
        if self._made is None:
            return 0
        live = self.company.live() + (not self.over.is_set())
        return max(0, self.client.busy() - (min(1, live) if self._http2 else live))

    def _dead(self) -> int:
        """Connections that the pool keeps although their peer has ended them."""
        if self._made is None or self.resource != CONNECTION:
            return 0
        kept = [stream for stream in self.client.network.streams if not stream.closed]
        return min(self.client.idle(), sum(bool(stream.get_extra_info("is_readable")) for stream in kept))

    def held(self) -> dict[str, int]:
        if self._made is None:
            return {}
        live = self.company.live() + (not self.over.is_set())
        owned = sum(not each.is_closed() for each in self.client.pool.connections)
        open_ones = sum(stream.is_open() for stream in self.client.network.streams)
        return {
            "calls": int(self._task is not None and not self.over.is_set()),
            "pool slots": self._lost(),
            "requests": max(0, sum(self.client.requests()) - live),
            "streams": int(self.resource == STREAM and self.holds_stream),
            "sockets": max(0, open_ones - owned),
            "unsent FIN": max(0, self.bench.ledger.unended() - open_ones),
            "dead connections": self._dead(),
            "resolver threads": 0 if self.stage.resolver is None else self.stage.resolver.running,
        }

    async def teardown(self) -> None:
        if self._task is not None and not self.over.is_set():
            # Nothing has interrupted it, or this task would be over: this is its first cancel.
            self._task.cancel()
            await self.over.wait()
        await self.company.dismiss()
        for task in self._beside:
            task.cancel()
        await self.stage.lift()
        if self._made is not None:
            await self.client.http.aclose()
        self._made = self._task = None
        self._beside.clear()
