"""One HTTP call of one run.

What the wire saw is the only evidence: httpcore sends no RST_STREAM for a cancelled HTTP/2 request, whatever its own
state says.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine, Mapping
from typing import Any

from probes.clock import Stamp
from probes.events import LanePlan
from probes.lanes.base import Blow, Lane
from probes.lanes.bench import Bench
from probes.lanes.http.causes import Causes
from probes.lanes.http.client import Client, make_client
from probes.lanes.http.company import Company
from probes.lanes.http.library import Library, load, timer_of
from probes.lanes.http.names import HOST
from probes.lanes.http.network import Network
from probes.lanes.http.remains import CONNECTION, Remains, resource_of
from probes.lanes.http.request import Request
from probes.lanes.http.stages import OTHER_NAME, STAGES, Idle
from probes.lanes.timers import due


class HttpLane(Lane):
    """``stage`` brings its ``request`` into the phase, ``causes`` strike it, ``remains`` tells what is left."""

    takes_links = True

    def __init__(self, bench: Bench, context: ssl.SSLContext, run: int, plan: LanePlan) -> None:
        super().__init__(bench, run, plan)
        self._context = context
        self._library: Library | None = None
        self.made: Client | None = None
        self.company = Company(self)
        self.stage = STAGES[plan.phase](self)
        self.resource = resource_of(self.stage, plan)
        self.causes = Causes(self)
        self.request = Request(self)
        self._remains = Remains(self)
        self._beside: list[asyncio.Task[Any]] = []
        self._task: asyncio.Task[Any] | None = None
        self._looked = asyncio.Event()
        """It is known what became of the call's resource."""

    @property
    def client(self) -> Client:
        assert self.made is not None
        return self.made

    @property
    def library(self) -> Library:
        assert self._library is not None
        return self._library

    def url(self, path: str, host: str = "") -> str:
        name, port = self.stage.address
        return f"http{'s' if self.plan.tls else ''}://{host or name}:{port}{path}"

    def start(self, coro: Coroutine[Any, Any, Any], what: str) -> asyncio.Task[Any]:
        """Run ``coro`` beside the call, until the teardown."""
        task = self.bench.tasks.start(coro, name=f"{what} of {self.plan.lane}")
        self._beside.append(task)
        return task

    # The call -----------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        plan = self.plan
        self._library = load(str(plan.options.get("client", "httpx")))
        await self.stage.ready()
        network = Network(self.library, self.bench.sink.clock, {OTHER_NAME: HOST}, self.stage.resolver)
        self.made = make_client(self.library, plan, self._context, network, self.chain)
        await self.company.abandon(int(plan.options.get("abandoned", 0)))
        if plan.options.get("sibling") == "before":
            await self.company.accompany()
        await self.stage.prepare()

    async def exchange(self) -> None:
        self._task = asyncio.current_task()
        self.start(self.stage.watch(), "watch")
        self.client.network.begin("pool")
        self.rows.open_client(self.request.title)
        self.open_resource(f"{self.library.name} {'stream' if self.plan.protocol == 'http/2' else 'pool'}")
        await self._call_and_rest()

    async def _call_and_rest(self) -> None:
        response = await self.request.send()
        if isinstance(self.stage, Idle) or self.request.made_up:
            self.rows.client.completed(response)
        if isinstance(self.stage, Idle):
            await self.stage.rest()

    def armed(self, evidence: str) -> None:
        if not self.ready.is_set() and self.plan.options.get("sibling") == "after":
            self.start(self.company.accompany(), "sibling")
        super().armed(evidence)

    # How it is cancelled ------------------------------------------------------------------------------

    def blows(self) -> Mapping[str, Blow]:
        return self.causes.blows()

    @property
    def how(self) -> str:
        return self.causes.how or super().how

    def own_timeout(self, error: BaseException) -> tuple[str, Stamp] | None:
        name = timer_of(error)
        timeout = None if name is None else self.timeout(name)
        since = None if name is None else self.client.network.since.get(name)
        if timeout is None or since is None:
            return None
        return f"{self.library.name} {name} timeout", due(since, timeout)

    # What becomes of it -------------------------------------------------------------------------------

    async def released(self) -> str | None:
        after = self.start(self._follow_up(), "what follows the call")
        if self.resource == CONNECTION:
            await asyncio.wait({after})
        evidence = await self._remains.back()
        self._looked.set()
        if evidence is not None:
            self.holding.released(evidence)
        await self.chain.idle()
        if self.stage.resolver is not None:
            await self.stage.resolver.idle()
        await asyncio.wait({after})
        return evidence

    async def _follow_up(self) -> None:
        await self.over.wait()
        if self.chain.detaches and self.resource != CONNECTION:
            # What a shield holds it gives back at its end, or never: that is the question, and not who waits for it.
            await self._looked.wait()
        await self.company.follow_up()

    def dead(self) -> int:
        """Connections that the pool keeps although their peer has ended them."""
        return self._remains.dead()

    def held(self) -> dict[str, int]:
        if self.made is None:
            return {}
        return {"calls": int(self._task is not None and not self.over.is_set()), **self._remains.held()}

    async def teardown(self) -> None:
        if self._task is not None and not self.over.is_set():
            # Nothing has interrupted it, or this task would be over: this is its first cancel.
            self._task.cancel()
            await self.over.wait()
        await self.company.dismiss()
        for task in self._beside:
            task.cancel()
        await self.stage.lift()
        if self.made is not None:
            await self.client.http.aclose()
        self.made = self._task = None
        self._beside.clear()
