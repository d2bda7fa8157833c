"""The HTTP lanes: httpx over HTTP/1.1 and over HTTP/2 with prior knowledge (h2c), a fresh client for each run.

A client is not shared between runs because httpcore 1.0 loses pool slots when a task is cancelled natively at
the wrong tick; a client that is closed, dropped and collected takes its losses with it. What the wire saw is
the only evidence: httpcore sends no RST_STREAM on a cancelled HTTP/2 request, whatever its own state says.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx

from probes.clock import Stamp
from probes.events import LanePlan
from probes.lanes.base import Bench, Lane, due
from probes.schema import LANE_HEADER, RUN_HEADER

_TIMEOUTS: dict[type[httpx.TimeoutException], str] = {
    httpx.ConnectTimeout: "connect",
    httpx.ReadTimeout: "read",
    httpx.WriteTimeout: "write",
    httpx.PoolTimeout: "pool",
}
_PHASE_OF_TRACE = {
    "connect_tcp.started": "connect",
    "send_request_headers.started": "write",
    "send_request_body.started": "write",
    "receive_response_headers.started": "read",
    "receive_response_body.started": "read",
}


class HttpSession:
    """What the runs share: one TLS context, because making one costs a default client some 37 ms."""

    def __init__(self, bench: Bench, *, http2: bool) -> None:
        self.bench, self.http2 = bench, http2
        self.context = ssl.create_default_context()

    def lane(self, run: int, plan: LanePlan) -> Lane:
        return HttpLane(self, run, plan)

    async def warm(self, plan: LanePlan) -> None:
        """Nothing is kept over the runs."""

    async def held(self) -> dict[str, int]:
        return {}

    async def close(self) -> None:
        """Nothing outlives a run."""


class HttpLane(Lane):
    def __init__(self, session: HttpSession, run: int, plan: LanePlan) -> None:
        super().__init__(session.bench, run, plan)
        self.resource = "stream" if session.http2 else "pool slot"
        self._session = session
        self._client_object: httpx.AsyncClient | None = None
        self._pool: Any = None
        self._since: dict[str, Stamp] = {}
        """When the wait began that each of httpx's timeouts covers."""

    async def prepare(self) -> None:
        http2 = self._session.http2
        transport = httpx.AsyncHTTPTransport(verify=self._session.context, http1=not http2, http2=http2)
        # httpx shows its pool nowhere; httpcore's own view of its connections is public.
        self._pool = transport._pool
        timeout = httpx.Timeout(
            connect=self.timeout("connect"),
            read=self.timeout("read"),
            write=self.timeout("write"),
            pool=self.timeout("pool"),
        )
        self._client_object = httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False)

    async def exchange(self) -> None:
        assert self._client_object is not None
        method, path = self._request()
        host, port = self.bench.address
        headers = {RUN_HEADER: str(self.run), LANE_HEADER: self.plan.lane}
        self._since["pool"] = self.bench.sink.clock.now()
        self.open_client(f"{method} {path}")
        self.open_resource("httpx pool" if self.resource == "pool slot" else "HTTP/2 stream")
        stream = self._client_object.stream(
            method,
            f"http://{host}:{port}{path}",
            headers=headers,
            content=self._upload() if method == "POST" else None,
            extensions={"trace": self._trace},
        )
        async with stream as response:
            async for chunk in response.aiter_raw():
                self._since["read"] = self.bench.sink.clock.now()
                self.received(len(chunk))
                self.armed(f"chunk {self._read} read")

    def _request(self) -> tuple[str, str]:
        plan = self.plan
        common = f"interval={plan.interval}&behaviour={plan.behaviour}"
        if plan.phase == "response headers":
            return "GET", f"/slow-headers?delay={plan.delay}&behaviour={plan.behaviour}"
        if plan.phase == "request body":
            return "POST", f"/upload?{common}"
        return "GET", f"/stream?delay={plan.delay}&chunks={plan.chunks}&size={plan.size}&{common}"

    async def _upload(self) -> AsyncIterator[bytes]:
        chunk = b"x" * self.plan.size
        for number in range(self.plan.chunks):
            self._since["write"] = self.bench.sink.clock.now()
            yield chunk
            self.armed(f"chunk {number + 1} handed over")
            await asyncio.sleep(self.plan.interval)

    async def _trace(self, name: str, info: dict[str, Any]) -> None:
        # Runs inside the request's own task, so it may only take notes.
        del info
        event = name.partition(".")[2]
        if (phase := _PHASE_OF_TRACE.get(event)) is not None:
            self._since[phase] = self.bench.sink.clock.now()
        if event == "receive_response_headers.started" and self.plan.phase == "response headers":
            self.armed("request sent, no response head yet")

    def own_timeout(self, error: BaseException) -> tuple[str, Stamp] | None:
        name = _TIMEOUTS.get(type(error))  # type: ignore[arg-type]
        timeout = None if name is None else self.timeout(name)
        if name is None or timeout is None or name not in self._since:
            return None
        return f"httpx {name} timeout", due(self._since[name], timeout)

    async def released(self) -> str | None:
        evidence = await self.exchange_gone()
        if self._session.http2:
            return evidence
        if self._busy():
            return None
        if not self._since.get("connect"):
            return "pool slot back, no connection was made"
        return f"pool slot back, connection {'kept' if self._pool.connections else 'closed'}"

    def _busy(self) -> int:
        return sum(not (conn.is_idle() or conn.is_closed()) for conn in self._pool.connections)

    def held(self) -> dict[str, int]:
        if self._session.http2:
            return {"streams": int(self.holds_stream)}
        return {"pool slots": 0 if self._pool is None else self._busy()}

    async def teardown(self) -> None:
        if self._client_object is not None:
            await self._client_object.aclose()
        self._client_object = self._pool = None
