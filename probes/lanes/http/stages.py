"""How a call is brought into each phase of its life, what holds it there, and what proves that it is there.

A stage asks nothing of its lane but what ``Subject`` names. ``LanePlan.delay`` is how long a phase lasts that something
holds the call in; 0 is to the end of the run. What is held is let go by ``lift``, whatever has become of the call.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

from probes.clock import Stamp
from probes.events import TO_CLIENT, TO_SERVER, ChunkSent, FaultPlan, LanePlan
from probes.lanes.bench import Bench
from probes.lanes.http import names
from probes.lanes.http.client import Client
from probes.lanes.http.company import Company
from probes.lanes.sockets import TELLS, waiting_for_syn
from probes.span import Span
from probes.tap.deadends import stalled_address
from probes.tap.proxy import Address

SLOW_NAME = f"slow{names.ZONE}"
OTHER_NAME = f"other{names.ZONE}"
"""Another origin at the tap's own address: for HTTP/2, where one connection serves any number of requests to one."""

HOLDER_CLOSED = "holder closed"
"""Of the option ``cancel_at``: where the waiting call has just been given a connection."""

_UPLOAD = {"write timeout": "stalled", "read timeout": "window"}

_LOOK = 0.005
_LOOKS = 3
"""Seconds between two looks at something that tells nothing by itself, and how often it must look the same."""


class Striker(Protocol):
    """The lane's causes, as its stage needs them."""

    def cancel_here(self) -> None: ...


class Subject(Protocol):
    """The lane, as its stage needs it."""

    bench: Bench
    run: int
    plan: LanePlan
    company: Company
    over: asyncio.Event

    @property
    def client(self) -> Client: ...

    @property
    def causes(self) -> Striker: ...

    def armed(self, evidence: str) -> None: ...


class Stage:
    """A phase. This one is that of a call that nothing holds."""

    method = "GET"
    resource = "stream"
    """What the call holds in this phase; on HTTP/1.1 a stream is a pool slot."""

    def __init__(self, lane: Subject) -> None:
        self.lane, self.plan, self.bench = lane, lane.plan, lane.bench
        self.resolver: names.Resolver | None = None

    @property
    def lasts(self) -> float | None:
        """Seconds; None to the end of the run."""
        return self.plan.delay or None

    async def ready(self) -> None:
        """Before the client is made. Raises OSError."""

    async def prepare(self) -> None:
        """Once the client is there."""

    @property
    def address(self) -> Address:
        """Whom the call is for."""
        return self.bench.address

    def path(self) -> str:
        return "/stream?chunks=1&interval=0"

    def body(self) -> AsyncIterator[bytes] | None:
        """The request's."""
        return None

    async def watch(self) -> None:
        """Beside the call: look for a proof that does not come by itself."""

    def traced(self, event: str) -> None:
        """An event of httpcore's trace extension, without the protocol before its name."""

    def read(self, chunks: int) -> None:
        """So many whole chunks of the response have been read."""

    async def rest(self) -> None:
        """After a complete response."""

    async def lift(self) -> None:
        """Let go what was held. May be called twice."""


class Dns(Stage):
    """The name server has the query and takes its time."""

    resource = "pool slot"

    def __init__(self, lane: Subject) -> None:
        super().__init__(lane)
        self._server = names.NameServer(self.lasts, self._asked)

    async def ready(self) -> None:
        threads = int(self.plan.options.get("resolver_threads", 0)) or names.THREADS
        address = await self._server.start()
        self.resolver = names.Resolver(address, self.bench.sink.clock, self, threads)

    @property
    def address(self) -> Address:
        return SLOW_NAME, self.bench.address[1]

    def _asked(self) -> None:
        self.lane.armed(f"the name server has the query for {SLOW_NAME} and has not answered")

    def lookup_began(self, host: str, at: Stamp) -> object:
        where = {"run": self.lane.run, "lane": self.plan.lane, "layer": "resource"}
        return Span(self.bench.sink, name="resolver thread", evidence=f"looks up {host}", at=at, **where)  # type: ignore[arg-type]

    def lookup_ended(self, what: object, host: str, at: Stamp) -> None:
        assert isinstance(what, Span)
        what.cleaned_up(f"the thread that looked up {host} is through", at=at)

    async def lift(self) -> None:
        self._server.answer_all()
        if self.resolver is not None:
            await self.resolver.close()
        self._server.close()


class TcpConnect(Stage):
    """The peer's backlog is full: nothing answers the SYN."""

    resource = "pool slot"

    def __init__(self, lane: Subject) -> None:
        super().__init__(lane)
        self._held = contextlib.AsyncExitStack()
        self._address = self.bench.address
        self._others = 0

    async def ready(self) -> None:
        # One that is cancelled right after its connect has to get that far.
        if "cancel_at" not in self.plan.options:
            self._address = await self._held.enter_async_context(stalled_address())
            self._others = waiting_for_syn(self._address)

    @property
    def address(self) -> Address:
        return self._address

    async def watch(self) -> None:
        if self._address == self.bench.address:
            return
        # Where there is no table to look at, what the client says has to do.
        while TELLS and waiting_for_syn(self._address) == self._others:  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(_LOOK)
        self.lane.armed("the kernel has a socket in SYN_SENT to {}:{}".format(*self._address))

    async def lift(self) -> None:
        await self._held.aclose()


class TlsHandshake(Stage):
    """The tap holds what the server answers to the ClientHello."""

    resource = "pool slot"

    async def prepare(self) -> None:
        self.bench.tap.inject(FaultPlan(kind="hold", direction=TO_CLIENT, seconds=self.lasts))

    def traced(self, event: str) -> None:
        if event == "start_tls.started":
            self.lane.armed("TCP is connected, start_tls has begun, the tap holds the handshake")

    async def lift(self) -> None:
        self.bench.tap.clear("hold")


class PoolWait(Stage):
    """A request of the lane's own has the pool's only connection."""

    resource = "pool slot"

    async def prepare(self) -> None:
        host = OTHER_NAME if self.plan.protocol == "http/2" else ""
        await self.lane.company.hold(host)
        if self.lasts is not None:
            asyncio.get_running_loop().call_later(self.lasts, self.lane.company.release)

    async def watch(self) -> None:
        while not (counts := self.lane.client.requests())[1]:  # noqa: ASYNC110 - the pool tells nobody
            await asyncio.sleep(0)
        self.lane.armed(f"the pool has {counts[0]} request active and {counts[1]} queued")
        if self.plan.options.get("cancel_at") == HOLDER_CLOSED:
            self.lane.company.release(self.lane.causes.cancel_here)


class RequestBody(Stage):
    """``upload``: ``stalled``, the peer's TCP takes no more; ``window``, HTTP/2's flow control gives no window;
    ``paced``, the caller itself takes its time. Where nothing is said, what the plan's timer needs."""

    method = "POST"

    def __init__(self, lane: Subject) -> None:
        super().__init__(lane)
        self._kind = str(self.plan.options.get("upload", _UPLOAD.get(self.plan.cause, "paced")))
        self._handed = 0

    def path(self) -> str:
        window = 1 << 24 if self._kind == "stalled" else 0
        interval = 0.0 if self._kind == "stalled" else self.plan.interval
        if self._kind == "window":
            interval = 3600.0
        return f"/upload?interval={interval}&size={self.plan.size}&window={window}&behaviour={self.plan.behaviour}"

    async def body(self) -> AsyncIterator[bytes]:
        chunk = b"x" * self.plan.size
        endless = self._kind != "paced"
        while endless or self._handed < self.plan.chunks:
            self._hand_over(len(chunk))
            yield chunk
            if self._kind == "paced":
                self._paced()
                await asyncio.sleep(self.plan.interval)
            elif self._kind == "stalled" and self._handed == self.plan.after:
                await self._stall()

    def _hand_over(self, size: int) -> None:
        """httpx takes one more chunk."""
        self._handed += 1
        self.bench.sink.emit(
            ChunkSent, run=self.lane.run, lane=self.plan.lane, layer="client", n=1, size=size, total=self._handed
        )

    def _paced(self) -> None:
        if self._handed >= self.plan.after:
            self.lane.armed(f"chunk {self._handed} handed over, and the caller has more")

    async def _stall(self) -> None:
        """From here on the peer reads nothing more. Its handler has begun: there is somebody to be told."""
        await self.bench.servers.entered(self.lane.run, self.plan.lane)
        self.bench.tap.inject(FaultPlan(kind="freeze", direction=TO_SERVER, seconds=self.lasts))

    async def watch(self) -> None:
        if self._kind == "paced":
            return
        seen, same = -1, 0
        while same < _LOOKS or not self._blocked():
            await asyncio.sleep(_LOOK)
            same = same + 1 if self._handed == seen and seen > 0 else 0
            seen = self._handed
        why = "the kernel takes no more" if self._kind == "stalled" else "HTTP/2 gives no window"
        self.lane.armed(f"{self._handed} chunks handed over, {why}")

    def _blocked(self) -> bool:
        streams = self.lane.client.network.streams
        return bool(streams) and streams[-1].writable() is (self._kind == "window")

    async def lift(self) -> None:
        if self._kind == "stalled":
            # What waits in the kernels, MiBs of it, is not to flow when all is over.
            self.bench.tap.inject(FaultPlan(kind="cut", how="RST"))
            self.bench.tap.clear("freeze")


class ResponseHeaders(Stage):
    """The server has the request and sends nothing."""

    def path(self) -> str:
        return f"/slow-headers?delay={self.plan.delay}&behaviour={self.plan.behaviour}"

    def traced(self, event: str) -> None:
        if event == "receive_response_headers.started":
            self.lane.armed("request sent, no response head yet")


class ResponseBody(Stage):
    """The response streams."""

    def path(self) -> str:
        plan = self.plan
        much = f"chunks={plan.chunks}&size={plan.size}&interval={plan.interval}"
        return f"/stream?delay={plan.delay}&{much}&behaviour={plan.behaviour}"

    def read(self, chunks: int) -> None:
        if chunks >= self.plan.after:
            self.lane.armed(f"chunk {chunks} read")


class Idle(Stage):
    """The response is complete and its connection waits in the pool for the next request."""

    resource = "connection"

    def __init__(self, lane: Subject) -> None:
        super().__init__(lane)
        self.struck = asyncio.Event()
        """Set when what ends the idle connection has happened."""

    async def rest(self) -> None:
        self.lane.armed(f"response complete, in the pool: {self.lane.client.info()}")
        await self.struck.wait()


STAGES: dict[str, type[Stage]] = {
    "DNS": Dns,
    "TCP connect": TcpConnect,
    "TLS handshake": TlsHandshake,
    "pool wait": PoolWait,
    "request body": RequestBody,
    "response headers": ResponseHeaders,
    "response body": ResponseBody,
    "idle": Idle,
}
"""By phase."""
