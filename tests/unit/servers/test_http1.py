"""HTTP/1.1 against the real process: cancels at each await, told by FIN and RST; keep-alive; wrong input."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from probes.events import ChunkReceived, SpanCancelled
from tests.kit.servers_kit import LANE, NO_SUCH_BEHAVIOUR, Raw, Servers, attribution

pytestmark = pytest.mark.asyncio(loop_scope="module")

AWAITS = {
    "sleep before head": ("GET", "/slow-headers?delay=60", ""),
    "sleep before first chunk": ("GET", "/stream?delay=60", ""),
    "sleep after #1": ("GET", "/stream?interval=60", ""),
    "read #1": ("POST", "/upload", "content-length: 10\r\n"),
}


@pytest_asyncio.fixture(loop_scope="module")
async def raw(servers: Servers) -> AsyncIterator[Raw]:
    async with await Raw.connect(servers.http) as client:
        yield client


async def arrive(servers: Servers, raw: Raw, at: str) -> int:
    """Send the request whose handler waits at ``at``, and wait until it is there."""
    run = servers.new_run()
    method, target, headers = AWAITS[at]
    await raw.get(target, run, method=method, headers=headers)
    await servers.started(run)
    if at == "sleep after #1":
        await servers.sent(run, 1)
        await raw.until(b"x" * 1024)
    return run


@pytest.mark.parametrize("at", AWAITS)
@pytest.mark.parametrize("told", ["FIN", "RST"])
async def test_a_cancel_at_each_await(servers: Servers, raw: Raw, at: str, told: str) -> None:
    run = await arrive(servers, raw, at)
    raw.fin() if told == "FIN" else raw.rst()
    life = await servers.life(run)
    assert life.cancelled.error == "CancelledError"
    assert life.cancelled.evidence == f"at {at}, told by {told}"
    assert life.cleaned.evidence == "finally ran"
    assert (life.started.run, life.started.lane, life.started.name) == (run, LANE, "handler")
    method, target, _ = AWAITS[at]
    path = target.partition("?")[0]
    assert re.fullmatch(rf"{method} {path} from 127\.0\.0\.1:\d+", life.started.evidence)


async def test_a_cancel_at_a_write_that_the_client_does_not_take(servers: Servers) -> None:
    run = servers.new_run()
    async with await Raw.connect(servers.http, receive_buffer=1 << 16) as raw:
        await raw.get("/stream?size=262144&interval=0", run)
        at = await servers.stalled(run)
        raw.rst()
        life = await servers.life(run)
    assert life.cancelled.evidence == f"at {at}, told by RST"
    assert at == f"write #{len(life.chunks) + 1}"


async def test_slow_cleanup_takes_its_time_after_it_was_told(servers: Servers, raw: Raw) -> None:
    run = servers.new_run()
    await raw.get("/stream?interval=60&behaviour=slow-cleanup", run)
    await servers.sent(run, 1)
    raw.fin()
    await servers.until(lambda: servers.of(SpanCancelled, run))
    assert (await servers.handlers())["http/1.1"] == 1
    life = await servers.life(run)
    # libuv counts whole milliseconds, so a timer may fire a little early.
    assert 295_000_000 <= life.cleaned.t - life.cancelled.t < 3_000_000_000
    assert re.fullmatch(r"finally ran, cleanup done after \d+ ms", life.cleaned.evidence)
    assert (await servers.handlers())["http/1.1"] == 0


async def test_the_end_after_a_complete_response_is_no_cancel(servers: Servers, raw: Raw) -> None:
    run = servers.new_run()
    await raw.get("/stream?chunks=2&size=10&interval=0&behaviour=slow-cleanup:0.05", run)
    await raw.until(b"\r\n0\r\n\r\n")
    raw.rst()
    life = await servers.life(run)
    assert life.completed.evidence == "2 chunks, 20 bytes"
    assert [chunk.size for chunk in life.chunks] == [10, 10]
    assert life.cleaned.t - life.completed.t >= 45_000_000


async def test_httpx_streams_and_cancels(servers: Servers) -> None:
    run = servers.new_run()
    async with httpx.AsyncClient(trust_env=False, base_url=f"http://{servers.http}") as client:
        async with client.stream("GET", "/stream?size=100&interval=0.01", headers=attribution(run)) as response:
            chunks = response.aiter_raw()
            assert [len(await anext(chunks)) for _ in range(3)] == [100, 100, 100]
        life = await servers.life(run)
    assert re.fullmatch(r"at (sleep after|write) #\d+, told by (FIN|RST)", life.cancelled.evidence)
    assert len(life.chunks) >= 3


async def test_keep_alive(servers: Servers, raw: Raw) -> None:
    peers = set()
    for chunks in (1, 2, 3):
        run = servers.new_run()
        await raw.get(f"/stream?chunks={chunks}&size=5&interval=0", run)
        assert (await raw.until(b"\r\n0\r\n\r\n")).count(b"xxxxx") == chunks
        life = await servers.life(run)
        assert life.completed.evidence == f"{chunks} chunk{'s' if chunks > 1 else ''}, {chunks * 5} bytes"
        peers.add(life.started.evidence)
    assert len(peers) == 1


async def test_pipelined_requests_are_answered_in_order(servers: Servers, raw: Raw) -> None:
    runs = [servers.new_run() for _ in range(3)]
    requests = [
        "".join(
            [f"GET /slow-headers?delay={delay} HTTP/1.1\r\nhost: x\r\n"]
            + [f"{name}: {value}\r\n" for name, value in attribution(run).items()]
            + ["\r\n"]
        )
        for run, delay in zip(runs, (0.05, 0, 60), strict=True)
    ]
    await raw.send("".join(requests).encode())
    for _ in range(2):
        assert (await raw.until(b"at last\n")).startswith(b"HTTP/1.1 200")
    await servers.started(runs[2])
    raw.fin()
    assert (await servers.life(runs[2])).cancelled.evidence == "at sleep before head, told by FIN"
    first, second = [await servers.life(run) for run in runs[:2]]
    assert first.completed.seq < second.started.seq


async def test_a_pipelined_request_of_a_client_that_is_gone_is_not_started(servers: Servers, raw: Raw) -> None:
    first, second = servers.new_run(), servers.new_run()
    await raw.get("/stream?interval=60", first)
    await raw.get("/stream", second)
    await servers.sent(first, 1)
    raw.fin()
    assert (await servers.life(first)).cancelled.evidence == "at sleep after #1, told by FIN"
    assert await raw.rest()
    await servers.handlers()
    assert [event for event in servers.events if event.run == second] == []


async def test_an_upload_is_counted(servers: Servers, raw: Raw) -> None:
    run = servers.new_run()
    await raw.get("/upload", run, method="PUT", headers="transfer-encoding: chunked\r\nexpect: 100-continue\r\n")
    assert (await raw.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    for size in (1, 1000, 70_000):
        await raw.send(b"%x\r\n%b\r\n" % (size, b"y" * size))
    await raw.send(b"0\r\n\r\n")
    assert (await raw.until(b"71001\n")).startswith(b"HTTP/1.1 200")
    assert (await servers.life(run)).completed.evidence == "71001 bytes read"


async def test_whole_chunks_of_an_upload_are_told_as_they_are_read(servers: Servers, raw: Raw) -> None:
    run = servers.new_run()
    await raw.get("/upload?size=1000", run, method="PUT", headers="content-length: 3500\r\n")
    await raw.send(b"y" * 1500)
    await servers.until(lambda: servers.of(ChunkReceived, run))
    await raw.send(b"y" * 2000)
    await raw.until(b"3500\n")
    await servers.life(run)
    read = servers.of(ChunkReceived, run)
    assert (read[0].total, read[-1].total) == (1, 3)
    assert sum(event.n for event in read) == 3
    assert {(event.layer, event.size // event.n) for event in read} == {("server", 1000)}


async def test_a_slow_upload_holds_the_client_back(servers: Servers, raw: Raw) -> None:
    run = servers.new_run()
    size = 256 << 20
    await raw.get("/upload?interval=0.01", run, method="POST", headers=f"content-length: {size}\r\n")
    with pytest.raises(TimeoutError):
        # The server takes 64 KiB in 10 ms, and the kernel's buffers a few MiB.
        async with asyncio.timeout(0.3):
            await raw.send(b"y" * size)
    raw.rst()
    # What the kernel holds comes first.
    evidence = (await servers.life(run)).cancelled.evidence
    assert re.fullmatch(r"at (read|sleep after read) #\d+, told by RST", evidence)


async def test_half_a_body_is_no_upload(servers: Servers, raw: Raw) -> None:
    run = servers.new_run()
    await raw.get("/upload", run, method="POST", headers="content-length: 100\r\n")
    await raw.send(b"y" * 50)
    await servers.started(run)
    raw.fin()
    life = await servers.life(run)
    assert re.fullmatch(r"at (read #\d|sleep after read #1), told by FIN", life.cancelled.evidence)


@pytest.mark.parametrize(
    ("request_line", "status", "text"),
    [
        ("GET /stream?behaviour=zombie", 400, NO_SUCH_BEHAVIOUR),
        ("GET /stream?behaviour=slow-cleanup:long", 400, "slow-cleanup takes seconds from 0 to 3600"),
        ("GET /stream?chunks=1.5", 400, "chunks must be a whole number of chunks from 1 to 1000000, not '1.5'"),
        ("GET /stream?delay=nan", 400, "delay must be a number of seconds from 0 to 3600, not 'nan'"),
        ("GET /stream?interval=-1", 400, "interval must be a number of seconds from 0 to 3600, not '-1'"),
        ("GET /stream?size=9999999", 400, "size must be a whole number of bytes from 1 to 1048576, not '9999999'"),
        (
            "GET /stream?speed=9",
            400,
            "unknown parameter 'speed': delay, chunks, size, interval, linger, behaviour",
        ),
        ("GET /slow-headers?chunks=9", 400, "unknown parameter 'chunks': delay, behaviour are known"),
        ("GET /nowhere", 404, "nothing at '/nowhere'; here are GET /stream?"),
        ("POST /stream", 405, "/stream takes GET, not POST"),
        ("GET /upload", 405, "/upload takes POST, PUT, not GET"),
        ("DELETE /", 405, "/ takes GET"),
        ("GET /", 200, "here are GET /stream?delay=&chunks="),
        ("GET http://x/", 200, "here are GET /stream?delay=&chunks="),
        ("GET /handlers", 200, ""),
    ],
)
async def test_what_is_asked_wrongly_is_refused_in_one_line(
    servers: Servers, raw: Raw, request_line: str, status: int, text: str
) -> None:
    method, _, target = request_line.partition(" ")
    run = servers.new_run()
    await raw.get(target, run, method=method)
    head = (await raw.until(b"\r\n\r\n")).decode()
    assert head.startswith(f"HTTP/1.1 {status} ")
    length = re.search(r"content-length: (\d+)", head)
    assert length is not None
    # The connection is kept: one more answer comes.
    await raw.get("/nothing", run)
    body = (await raw.until(b"HTTP/1.1 404 ")).decode().removesuffix("HTTP/1.1 404 ")
    assert body.startswith(text)
    assert body.count("\n") == (1 if text else 0)
    assert int(length[1]) == len(body)
    assert [event for event in servers.events if event.run == run] == []


@pytest.mark.parametrize(
    ("garbage", "status"),
    [
        (b"\x00\x01\x02\x03 garbage\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost : x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 70_000, b"431"),
        (b"PRI * HTTP/2.0\r\n\r\nno preface", b"505"),
    ],
)
async def test_garbage_is_answered_and_the_connection_closed(
    servers: Servers, raw: Raw, garbage: bytes, status: bytes
) -> None:
    await raw.send(garbage)
    assert (await raw.rest()).startswith(b"HTTP/1.1 " + status)


async def test_a_broken_body_tells_the_handler(servers: Servers, raw: Raw) -> None:
    run = servers.new_run()
    await raw.get("/upload", run, method="POST", headers="transfer-encoding: chunked\r\n")
    await raw.send(b"3\r\nabc\r\n")
    await servers.started(run)
    await raw.send(b"no number\r\n")
    assert (await raw.rest()).startswith(b"HTTP/1.1 400")
    evidence = (await servers.life(run)).cancelled.evidence
    assert re.fullmatch(r"at (read #\d|sleep after read #1), told by a violation of HTTP/1\.1 \(.+\)", evidence)


async def test_a_refused_upload_gets_its_answer(servers: Servers, raw: Raw) -> None:
    await raw.send(b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n")
    head = await raw.until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404")
    assert b"connection: close" in head.lower()
    await raw.send(b"y" * 100_000)
    assert (await raw.rest()).startswith(b"nothing at")


async def test_http_1_0_gets_a_body_that_ends_with_the_connection(servers: Servers, raw: Raw) -> None:
    await raw.send(b"GET /stream?chunks=2&size=3&interval=0 HTTP/1.0\r\n\r\n")
    response = await raw.rest()
    assert response.endswith(b"\r\n\r\nxxxxxx")


async def test_a_head_may_come_byte_by_byte(servers: Servers, raw: Raw) -> None:
    run = servers.new_run()
    head = f"PRIVATE / HTTP/1.1\r\nhost: x\r\nx-cancelloscope-run: {run}\r\n\r\n"
    for byte in head.encode():
        await raw.send(bytes([byte]))
    assert (await raw.until(b"/ takes GET\n")).startswith(b"HTTP/1.1 405")


async def test_a_request_without_attribution_is_a_guests(servers: Servers, raw: Raw) -> None:
    before = len(servers.events)
    await raw.send(b"GET /slow-headers HTTP/1.1\r\nhost: x\r\nx-cancelloscope-run: -7\r\n\r\n")
    await raw.until(b"at last\n")
    await servers.until(lambda: len(servers.events) >= before + 4)
    ((run, lane),) = {(event.run, event.lane) for event in servers.events[before:]}
    assert run == 0
    assert lane.startswith("guest ")


async def test_the_handlers_are_listed(servers: Servers, raw: Raw) -> None:
    run = await arrive(servers, raw, "sleep after #1")
    async with await Raw.connect(servers.http) as other:
        await other.get("/handlers", 0, headers="connection: close\r\n")
        listed = (await other.rest()).decode()
    pattern = rf"http/1\.1 GET /stream from 127\.0\.0\.1:\d+, run {run} lane {LANE}, for \d\.\d s, at sleep after #1\n"
    assert re.search(pattern, listed)
    assert (await servers.handlers())["http/1.1"] == 1
    raw.fin()
    await servers.life(run)
