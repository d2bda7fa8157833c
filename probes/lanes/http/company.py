"""The other requests of a lane's client: those that keep it busy, share its connection, or ask how it is afterwards.

They go with the lane's name and their role, so that server and tap tell them from the call that is measured. Each is a
span of the client's layer under its role, and its evidence says how it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

from probes.catalogue import OTHERS
from probes.clock import Stamp
from probes.events import LanePlan
from probes.lanes.bench import Bench
from probes.lanes.http.client import Client
from probes.lanes.http.library import Library
from probes.schema import LANE_HEADER, RUN_HEADER
from probes.span import Span

HOLDER, SIBLING, ABANDONED, FOLLOW_UP, _CLOSE = OTHERS

_FOLLOW_UP_TIMEOUT = 1.0
_SIBLING_CHUNKS = 100

_SENT = "receive_response_headers.started"
_SETTINGS_READ = "receive_remote_settings.complete"
"""Steps of httpcore's. It reads the server's SETTINGS as late as its first response; before that it neither knows how
many streams it may open nor believes that there is a limit."""


class Host(Protocol):
    """The lane, as its company needs it."""

    bench: Bench
    run: int
    plan: LanePlan

    @property
    def client(self) -> Client: ...

    @property
    def library(self) -> Library: ...

    def url(self, path: str, host: str = "") -> str: ...


class Company:
    """Starts such requests, and knows which of them still use the client."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._tasks: set[asyncio.Task[bool]] = set()
        self._release = asyncio.Event()
        self._then: Callable[[], None] | None = None

    def live(self) -> int:
        """How many of them are under way."""
        return sum(not task.done() for task in self._tasks)

    # Before the call ------------------------------------------------------------------------------------

    async def hold(self, host: str) -> None:
        """Take the pool's only connection, which is then no connection of the call's."""
        who = self._host
        who.bench.ledger.expect(who.run, f"{who.plan.lane} {HOLDER}")
        await self._begin(HOLDER, f"/stream?interval={self._host.plan.interval}", host)
        who.bench.ledger.expect(who.run, who.plan.lane)

    def release(self, then: Callable[[], None] | None = None) -> None:
        """Let the holder go, by closing its response in the middle; ``then`` is called in the same turn."""
        self._then = then
        self._release.set()

    async def accompany(self) -> None:
        """A request beside the call, without timeouts of its own: one that streams, or that waits for
        ``sibling_delay`` seconds."""
        delay = float(self._host.plan.options.get("sibling_delay", 0))
        silent, streams = f"/slow-headers?delay={delay}", f"/stream?chunks={_SIBLING_CHUNKS}&interval=0.02"
        await self._begin(SIBLING, silent if delay else streams, silent=bool(delay))

    async def abandon(self, count: int) -> None:
        """Send ``count`` requests and cancel each of them while it waits for its response. Over HTTP/2 the first one
        stays until the client knows how many streams the server allows."""
        step = _SETTINGS_READ if self._host.plan.protocol == "http/2" else _SENT
        for _ in range(count):
            there = asyncio.Event()
            task = self._start(ABANDONED, "/slow-headers?delay=60", steps={step: there})
            await self._until(there, task, ABANDONED)
            task.cancel()
            await asyncio.wait({task})
            step = _SENT

    async def _begin(self, role: str, path: str, host: str = "", *, silent: bool = False) -> None:
        """Returns when the first chunk of its response is there, or, of a silent one, when it is sent."""
        begun = asyncio.Event()
        task = self._start(role, path, host=host, **({"steps": {_SENT: begun}} if silent else {"begun": begun}))
        await self._until(begun, task, role)

    async def _until(self, begun: asyncio.Event, task: asyncio.Task[bool], role: str) -> None:
        """Returns when ``begun`` is set, or ``task`` has ended without."""
        waiting = self._host.bench.tasks.start(begun.wait(), name=f"{role} begins")
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()

    # After the call -------------------------------------------------------------------------------------

    async def follow_up(self) -> None:
        """As many small requests as the plan wants, one after the other, each with a timeout of its own, up to the
        first that fails: the next one would have another connection."""
        plan = self._host.plan
        seconds = float(plan.options.get("follow_up_timeout", 0)) or _FOLLOW_UP_TIMEOUT
        timeout = self._host.library.httpx.Timeout(seconds)
        for _ in range(int(plan.options.get("follow_up", 0))):
            if not await self._start(FOLLOW_UP, "/stream?chunks=1&interval=0", timeout=timeout):
                return

    async def dismiss(self) -> None:
        """Cancel what still goes on, once each."""
        tasks = [task for task in self._tasks if not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._tasks.clear()

    # One of them ----------------------------------------------------------------------------------------

    def _start(self, role: str, path: str, **how: Any) -> asyncio.Task[bool]:
        task = self._host.bench.tasks.start(self._ask(role, path, **how), name=f"{role} of {self._host.plan.lane}")
        self._tasks.add(task)
        return task

    async def _ask(
        self,
        role: str,
        path: str,
        *,
        host: str = "",
        begun: asyncio.Event | None = None,
        steps: Mapping[str, asyncio.Event] | None = None,
        timeout: Any = None,
    ) -> bool:
        """Whether it got its answer."""
        who, now = self._host, self._host.bench.sink.clock.now
        span = Span(who.bench.sink, run=who.run, lane=who.plan.lane, layer="client", name=role, evidence=f"GET {path}")
        since = now()
        try:
            stream = who.client.http.stream(
                "GET",
                who.url(path, host),
                headers={RUN_HEADER: str(who.run), LANE_HEADER: f"{who.plan.lane} {role}"},
                timeout=timeout,
                extensions={"trace": _steps(steps)} if steps else {},
            )
            async with stream as response:
                size = await self._read(response.aiter_raw(), begun)
            self._let_go()
            span.completed(f"{response.status_code}, {size} bytes after {_ms(since, now())}")
            return True
        except asyncio.CancelledError as error:
            span.cancelled(error, f"after {_ms(since, now())}")
            raise
        except Exception as error:  # noqa: BLE001 - how it fails is what it is for
            words = str(error).strip().partition("\n")[0][:120]
            span.failed(error, f"{words} after {_ms(since, now())}".strip())
            return False
        finally:
            span.cleaned_up()

    async def _read(self, chunks: AsyncIterator[bytes], begun: asyncio.Event | None) -> int:
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if begun is not None:
                begun.set()
            if self._release.is_set():
                break
        return size

    def _let_go(self) -> None:
        if self._release.is_set() and self._then is not None:
            then, self._then = self._then, None
            then()


def _steps(steps: Mapping[str, asyncio.Event]) -> Callable[[str, Any], Any]:
    """Sets the event of each of httpcore's steps when it is there, over either protocol."""

    async def trace(name: str, info: Any) -> None:
        del info
        step = steps.get(name.partition(".")[2])
        if step is not None:
            step.set()

    return trace


def _ms(since: Stamp, until: Stamp) -> str:
    return f"{(until.t - since.t) / 1e6:.0f} ms"
