"""Hops: a handler whose work is a call of its own to the next server, over that lane's tap.

What is handed on of the caller's deadline is the hop's policy, because no library here inherits it: ``passed`` (what is
left of it), ``not passed`` (nothing), ``margin`` (what is left, less a margin in which this hop can still explain the
failure to its caller). The next lane's caller and client rows are told here, where the call is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import asyncpg
import httpx
import msgspec

from probes.clock import Stamp
from probes.events import CALL, BudgetSeen, Layer, Trigger
from probes.schema import BUDGET_HEADER, LANE_HEADER, RUN_HEADER, SQL_TAG
from probes.sink import Sink
from probes.span import Span
from probes.tasks import TaskKeeper, undisturbed

_CLOSE_S = 5.0

Policy = Literal["passed", "not passed", "margin"]


class Hop(msgspec.Struct, frozen=True):
    """The handler of ``run`` and ``lane`` calls ``next_lane`` at ``host``:``port`` and waits ``seconds`` for it.

    ``protocol`` is ``http/1.1`` or ``postgres``; user, password and database are for the latter. ``margin``: seconds.
    """

    run: int
    lane: str
    next_lane: str
    protocol: Literal["http/1.1", "postgres"]
    host: str
    port: int
    seconds: float
    policy: Policy = "passed"
    margin: float = 0.0
    user: str = ""
    password: str = ""
    database: str = ""

    def budget(self, left: float | None) -> float | None:
        """Seconds that the next hop gets of the ``left`` ones; None: no limit."""
        if left is None or self.policy == "not passed":
            return None
        return max(0.0, left - (self.margin if self.policy == "margin" else 0.0))


class HopTimeout(TimeoutError):
    """The next hop gave no answer within its budget; the text says which and how long it had."""


class Hops:
    """Which handlers call on, by run and lane."""

    def __init__(self, sink: Sink, tasks: TaskKeeper) -> None:
        self._sink, self._tasks = sink, tasks
        self._hops: dict[tuple[int, str], Hop] = {}

    def add(self, hop: Hop) -> None:
        self._hops[hop.run, hop.lane] = hop

    def take(self, run: int, lane: str) -> Hop | None:
        """The hop of this handler, once."""
        return self._hops.pop((run, lane), None)

    def arrived(self, run: int, lane: str, left: float | None) -> None:
        """Say what is left of the deadline where a hop begins."""
        self._say(run, lane, "server", left, "as it arrived")

    async def call(self, hop: Hop, left: float | None) -> None:
        """Make the next call. Raises what its client raises, TimeoutError when its budget is over."""
        budget = hop.budget(left)
        rows = [self._span(hop, layer) for layer in ("caller", "client")]
        if hop.protocol == "postgres":
            self._say(hop.run, hop.next_lane, "client", budget, f"handed on, {hop.policy}")
        make = self._postgres if hop.protocol == "postgres" else self._http
        since = self._sink.clock.now()
        try:
            async with asyncio.timeout(budget):
                await _told(rows[1], lambda: make(hop, budget))
        except TimeoutError as error:
            rows[0].failed(error, f"the budget of {budget or 0:.3f} s")
            self._expired(hop, since, budget or 0.0)
            raise HopTimeout(f"{hop.next_lane} had {(budget or 0) * 1e3:.0f} ms and gave no answer") from error
        except asyncio.CancelledError as error:
            rows[0].cancelled(error)
            raise
        except BaseException as error:
            rows[0].failed(error, str(error)[:120])
            raise
        else:
            rows[0].completed()
        finally:
            rows[0].cleaned_up("the call is over")

    def _expired(self, hop: Hop, since: Stamp, budget: float) -> None:
        """The budget was the first timer to end: zero of all lanes that hang together."""
        due = Stamp(since.t + round(budget * 1e9), since.err)
        self._sink.emit(Trigger, at=due, run=hop.run, lane=hop.next_lane, cause=f"budget of {hop.next_lane}")

    async def _http(self, hop: Hop, budget: float | None) -> None:
        headers = {RUN_HEADER: str(hop.run), LANE_HEADER: hop.next_lane}
        if budget is not None:
            headers[BUDGET_HEADER] = f"{budget * 1e3:.0f}"
        resource = self._span(hop, "resource", "connection")
        try:
            # Plain HTTP: without verify there is no TLS context to be made, which would hold up the loop for 40 ms.
            async with httpx.AsyncClient(timeout=None, trust_env=False, verify=False) as client:
                url = f"http://{hop.host}:{hop.port}/slow-headers?delay={hop.seconds}"
                (await client.get(url, headers=headers)).raise_for_status()
        finally:
            resource.cleaned_up("client closed")

    async def _postgres(self, hop: Hop, budget: float | None) -> None:
        del budget  # The limit around this cancels the statement: asyncpg then sends the CancelRequest.
        connection = await asyncpg.connect(
            host=hop.host, port=hop.port, user=hop.user, password=hop.password, database=hop.database, ssl="disable"
        )
        resource = self._span(hop, "resource", "connection")
        try:
            tag = SQL_TAG.format(run=hop.run, lane=hop.next_lane)
            await connection.fetchval(f"/* {tag} */ SELECT pg_sleep($1)", hop.seconds)
        finally:
            await self._close(connection, resource)

    async def _close(self, connection: asyncpg.Connection[asyncpg.Record], resource: Span) -> None:
        """A close waits for the CancelRequest to be answered, which an impatient caller may not cut short."""
        closing = self._tasks.start(_shut(connection), name="close a hop's connection")
        try:
            await undisturbed(closing)
        finally:
            resource.cleaned_up("connection closed")

    def _span(self, hop: Hop, layer: Layer, name: str = CALL) -> Span:
        return Span(
            self._sink,
            run=hop.run,
            lane=hop.next_lane,
            layer=layer,
            name=name,
            evidence=f"called by the handler of {hop.lane}",
        )

    def _say(self, run: int, lane: str, layer: Layer, left: float | None, evidence: str) -> None:
        ns = None if left is None else round(left * 1e9)
        self._sink.emit(BudgetSeen, run=run, lane=lane, layer=layer, left_ns=ns, evidence=evidence)


async def _shut(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    try:
        await connection.close(timeout=_CLOSE_S)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()


async def _told(span: Span, call: Callable[[], Awaitable[None]]) -> None:
    """The client's row: told by the exception that comes out of the library."""
    try:
        await call()
    except asyncio.CancelledError as error:
        span.cancelled(error)
        raise
    except BaseException as error:
        span.failed(error, str(error)[:120])
        raise
    else:
        span.completed()
    finally:
        span.cleaned_up("finally ran")
