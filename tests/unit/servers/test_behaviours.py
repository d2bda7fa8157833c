"""Every behaviour in the real process, over gRPC and both HTTPs: what it does with a cancel is told, and what runs on
is not lost sight of."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from h2.errors import ErrorCodes

from probes.events import CancelSwallowed
from tests.kit.grpc_kit import connected
from tests.kit.servers_kit import H2Client, Raw, Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")

Cancel = Callable[[], Awaitable[None]]
Start = Callable[..., contextlib.AbstractAsyncContextManager[Cancel]]
"""(run, slow head only, what is asked) -> how to cancel it, while the block lasts."""

TOLD = {"grpc": "grpc.aio", "http/1.1": "RST", "http/2": r"RST_STREAM CANCEL\(8\)"}
BY_WRITE = {"grpc": "the failed write", "http/1.1": "RST", "http/2": r"RST_STREAM CANCEL\(8\)"}


@pytest_asyncio.fixture(params=TOLD, loop_scope="module")
async def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture(loop_scope="module")
async def start(servers: Servers, protocol: str) -> Start:
    """A client of each protocol, which cancels as that protocol does."""

    def target(head: bool, asked: dict[str, object]) -> str:
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        return f"/{'slow-headers' if head else 'stream'}?{query}"

    @contextlib.asynccontextmanager
    async def grpc(run: int, *, head: bool = False, **asked: object) -> AsyncIterator[Cancel]:
        async with connected(servers) as client:
            call = (client.unary if head else client.stream)(run, **asked)

            async def cancel() -> None:
                call.cancel()

            if not head and not asked.get("delay"):
                await call.read()
            yield cancel

    @contextlib.asynccontextmanager
    async def http1(run: int, *, head: bool = False, **asked: object) -> AsyncIterator[Cancel]:
        async with await Raw.connect(servers.http) as raw:
            await raw.get(target(head, asked), run)

            async def cancel() -> None:
                raw.rst()

            yield cancel

    @contextlib.asynccontextmanager
    async def http2(run: int, *, head: bool = False, **asked: object) -> AsyncIterator[Cancel]:
        async with H2Client.connect(servers.http) as client:
            stream = await client.request(target(head, asked), run)

            async def cancel() -> None:
                await client.call("reset_stream", stream, ErrorCodes.CANCEL)

            yield cancel

    return {"grpc": grpc, "http/1.1": http1, "http/2": http2}[protocol]


async def swallowed(servers: Servers, run: int) -> CancelSwallowed:
    return (await servers.until(lambda: servers.of(CancelSwallowed, run)))[0]


@pytest.mark.parametrize("behaviour", ["swallow", "writes-only"])
async def test_a_swallowed_cancel_is_told_and_the_work_goes_on_to_its_next_write(
    servers: Servers, start: Start, protocol: str, behaviour: str
) -> None:
    run = servers.new_run()
    async with start(run, interval=0.7, behaviour=behaviour) as cancel:
        await servers.sent(run, 1)
        await cancel()
        gone_by = await swallowed(servers, run)
        assert (await servers.handlers())[protocol] == 1
        assert await servers.where(run) == "sleep after #1"
        life = await servers.life(run)
    assert (gone_by.error, gone_by.n, gone_by.layer, gone_by.span) == ("CancelledError", 1, "server", life.started.span)
    assert re.fullmatch(f"at sleep after #1, told by {TOLD[protocol]}", gone_by.evidence)
    assert len(servers.of(CancelSwallowed, run)) == 1
    assert re.fullmatch(f"at write #2, told by {BY_WRITE[protocol]}", life.cancelled.evidence)
    assert gone_by.t < life.cancelled.t
    assert life.cancelled.t - life.chunks[0].t >= 690_000_000
    assert (await servers.handlers())[protocol] == 0


async def test_one_that_asks_its_context_goes_on_where_grpc_denies_the_cancel(
    servers: Servers, start: Start, protocol: str
) -> None:
    """grpc #36193. HTTP servers have nothing to ask: there it obeys."""
    run = servers.new_run()
    async with start(run, interval=0.7, behaviour="asks-context") as cancel:
        await servers.sent(run, 1)
        await cancel()
        life = await servers.life(run)
    if protocol == "grpc":
        (gone_by,) = servers.of(CancelSwallowed, run)
        assert gone_by.evidence == "at sleep after #1, told by grpc.aio, context.cancelled() False"
        assert life.cancelled.evidence == "at write #2, told by the failed write"
    else:
        assert servers.of(CancelSwallowed, run) == []
        assert life.cancelled.evidence.startswith("at sleep after #1, told by")


async def test_a_response_that_was_swallowed_for_goes_to_nobody(servers: Servers) -> None:
    run = servers.new_run()
    async with connected(servers) as client:
        call = client.unary(run, delay=0.2, behaviour="swallow")
        await servers.started(run)
        call.cancel()
        await swallowed(servers, run)
        life = await servers.life(run)
    assert life.completed.evidence == "response of 1024 bytes to nobody"
    assert life.chunks == []


async def test_a_blocking_handler_holds_up_every_other_one(servers: Servers, start: Start, protocol: str) -> None:
    blocking, other = servers.new_run(), servers.new_run()
    async with await Raw.connect(servers.http) as raw:
        await raw.get("/slow-headers?delay=60", other)
        await servers.started(other)
        async with start(blocking, delay=0.6, chunks=1, interval=0, behaviour="blocking"):
            await servers.started(blocking)
            raw.fin()
            life, late = await servers.life(blocking), await servers.life(other)
    assert life.completed.evidence == "1 chunk, 1024 bytes"
    # The FIN came while the loop was blocked, and was heard in its next turn.
    assert late.cancelled.t >= life.started.t + 600_000_000
    assert late.cancelled.evidence == "at sleep before head, told by FIN"


async def test_a_blocking_handler_hears_between_its_steps(servers: Servers, start: Start, protocol: str) -> None:
    run = servers.new_run()
    async with start(run, delay=60, behaviour="blocking:0.05") as cancel:
        await servers.started(run)
        await cancel()
        life = await servers.life(run)
    assert re.fullmatch(f"at sleep before first chunk, told by {TOLD[protocol]}", life.cancelled.evidence)


async def test_a_thread_goes_on_after_the_handler_was_told(servers: Servers, start: Start, protocol: str) -> None:
    run = servers.new_run()
    async with start(run, head=True, delay=1.5, behaviour="executor") as cancel:
        await servers.started(run)
        await cancel()
        life = await servers.life(run)
        counts = (await servers.handlers())[protocol]
        async with await Raw.connect(servers.http) as raw:
            await raw.get("/handlers", 0, headers="connection: close\r\n")
            listed = (await raw.rest()).decode()
        begun, ended = await servers.held(run)
    assert re.fullmatch(rf"at sleep before (head|response), told by {TOLD[protocol]}", life.cancelled.evidence)
    assert life.cleaned.evidence == "finally ran"
    assert counts == 1
    assert re.search(rf"run {run} .* only its thread left, at sleep before (head|response)\n", listed)
    assert (begun.name, begun.layer) == ("thread", "resource")
    assert re.fullmatch(r"thread ended after \d+ ms", ended.evidence)
    assert ended.t - begun.t >= 1_490_000_000
    assert ended.t > life.cleaned.t
    assert (await servers.handlers())[protocol] == 0


async def test_a_thread_ends_with_the_step_that_it_is_in(servers: Servers, start: Start) -> None:
    run = servers.new_run()
    async with start(run, head=True, delay=60, behaviour="executor:0.05") as cancel:
        await servers.started(run)
        await cancel()
        await servers.life(run)
        _, ended = await servers.held(run)
    took = re.search(r"\d+", ended.evidence)
    assert took is not None
    assert int(took[0]) < 30_000


async def test_a_thread_ends_with_a_response_that_completes(servers: Servers, start: Start) -> None:
    run = servers.new_run()
    async with start(run, chunks=3, interval=0.01, behaviour="executor"):
        life = await servers.life(run)
        await servers.held(run)
    assert life.completed.evidence == "3 chunks, 3072 bytes"


@pytest.mark.parametrize("head", [False, True])
async def test_shielded_work_goes_on_after_the_handler_was_told(
    servers: Servers, start: Start, protocol: str, head: bool
) -> None:
    run = servers.new_run()
    async with start(run, head=head, delay=1.0, behaviour="shielded") as cancel:
        await servers.started(run)
        await cancel()
        life = await servers.life(run)
        counts = (await servers.handlers())[protocol]
        where = await servers.where(run)
        begun, ended = await servers.held(run)
    at = r"sleep before (head|response|first chunk)"
    assert re.fullmatch(f"at {at}, told by {TOLD[protocol]}", life.cancelled.evidence)
    assert counts == 1
    assert re.fullmatch(at, where)
    assert (begun.name, begun.layer) == ("shielded task", "resource")
    if protocol == "grpc" and head:
        assert ended.evidence == "response of 1024 bytes to nobody"
    else:
        assert re.fullmatch(rf"\w+ at write #1, told by {BY_WRITE[protocol]}", ended.evidence)
    assert ended.t > life.cleaned.t
    assert ended.t - begun.t >= 990_000_000
    assert life.chunks == []
    assert (await servers.handlers())[protocol] == 0


async def test_shielded_work_that_nobody_cancels_completes(servers: Servers, start: Start) -> None:
    run = servers.new_run()
    async with start(run, chunks=2, size=10, interval=0.01, behaviour="shielded"):
        life = await servers.life(run)
        _, ended = await servers.held(run)
    assert life.completed.evidence == ended.evidence == "2 chunks, 20 bytes"


@pytest.mark.parametrize("behaviour", ["swallow", "blocking", "executor", "writes-only"])
async def test_what_nobody_cancels_completes(servers: Servers, start: Start, behaviour: str) -> None:
    run = servers.new_run()
    async with start(run, chunks=2, size=10, interval=0.01, behaviour=behaviour):
        assert (await servers.life(run)).completed.evidence == "2 chunks, 20 bytes"
    assert servers.of(CancelSwallowed, run) == []


@pytest.mark.parametrize(
    ("behaviour", "text"),
    [
        ("swallow:0", "swallow takes a whole number of cancels from 1 to 1000, like swallow:2, not '0'"),
        ("swallow:1.5", "swallow takes a whole number of cancels from 1 to 1000, like swallow:2, not '1.5'"),
        ("blocking:0", "blocking takes seconds from 0.001 to 3600, like blocking:0.5, not '0'"),
        ("blocking:nan", "blocking takes seconds from 0.001 to 3600, like blocking:0.5, not 'nan'"),
        ("executor:-1", "executor takes seconds from 0.001 to 3600, like executor:0.5, not '-1'"),
        ("shielded:1", "shielded takes no argument"),
        ("writes-only:1", "writes-only takes no argument"),
    ],
)
async def test_a_wrong_argument_is_refused(servers: Servers, behaviour: str, text: str) -> None:
    async with await Raw.connect(servers.http) as raw:
        await raw.get(f"/stream?behaviour={behaviour}", servers.new_run(), headers="connection: close\r\n")
        assert (await raw.rest()).endswith(f"{text}\n".encode())
