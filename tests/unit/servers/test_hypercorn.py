"""Handlers on a framework's server: what hypercorn tells them, what it does not, and that it stops with the process."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import h2.events as he
import httpx
import pytest
from h2.errors import ErrorCodes

from probes.events import CancelSwallowed, ChunkSent, SpanCancelled
from tests.kit.servers_kit import H2Client, Raw, Servers, attribution, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

Leave = Callable[[], Awaitable[None]]
ENDS = ("FIN", "RST", "RST_STREAM", "GOAWAY")


@contextlib.asynccontextmanager
async def asking(servers: Servers, target: str, run: int, end: str) -> AsyncIterator[Leave]:
    """Ask for ``target``; the block gets what leaves as ``end`` says, over HTTP/2 where only that has it."""
    if end in ("FIN", "RST"):
        async with await Raw.connect(servers.hypercorn) as raw:
            await raw.get(target, run)

            async def leave() -> None:
                raw.fin() if end == "FIN" else raw.rst()

            yield leave
        return
    async with H2Client.connect(servers.hypercorn) as client:
        stream = await client.request(target, run)

        async def leave() -> None:
            if end == "GOAWAY":
                await client.call("close_connection")
            else:
                await client.call("reset_stream", stream, ErrorCodes.CANCEL)

        yield leave


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("watch", ["", "&watch=1"])
async def test_httpx_speaks_it(servers: Servers, http2: bool, watch: str) -> None:
    stream, slow, upload = servers.new_run(), servers.new_run(), servers.new_run()
    base = f"http://{servers.hypercorn}"
    async with httpx.AsyncClient(http1=not http2, http2=http2, trust_env=False, base_url=base) as client:
        response = await client.get(f"/stream?chunks=3&size=9&interval=0.01{watch}", headers=attribution(stream))
        assert (response.http_version, response.content) == ("HTTP/2" if http2 else "HTTP/1.1", b"x" * 27)
        assert response.headers["server"] == f"hypercorn-h{'2' if http2 else '11'}"
        assert (await client.get(f"/slow-headers?delay=0.01{watch}", headers=attribution(slow))).text == "at last\n"
        posted = await client.post("/upload", content=b"y" * 200_000, headers=attribution(upload))
        assert posted.text == "200000\n"
    life = await servers.life(stream)
    assert life.completed.evidence == "3 chunks, 27 bytes"
    assert re.fullmatch(r"GET /stream from 127\.0\.0\.1:\d+ on hypercorn", life.started.evidence)
    assert (await servers.life(slow)).completed.evidence == "1 chunk, 8 bytes"
    assert (await servers.life(upload)).completed.evidence == "200000 bytes read"


@pytest.mark.parametrize("end", ["FIN", "RST", "RST_STREAM"])
async def test_a_handler_that_does_not_watch_runs_to_its_end_and_every_send_is_accepted(
    servers: Servers, end: str
) -> None:
    run = servers.new_run()
    async with asking(servers, "/stream?chunks=30&interval=0.02", run, end) as leave:
        await servers.sent(run, 1)
        await leave()
        life = await servers.life(run)
    assert life.completed.evidence == "30 chunks, 30720 bytes"
    assert len(life.chunks) == 30


async def test_over_http2_a_connection_that_goes_holds_its_handler_for_ever() -> None:
    """Hypercorn 0.18: what was sent is accepted, but the end of the response waits for a writer that has left."""
    async with running() as servers:
        run, later = servers.new_run(), servers.new_run()
        async with asking(servers, "/stream?chunks=10&interval=0.02", run, "GOAWAY") as leave:
            await servers.sent(run, 1)
            await leave()
            await servers.until_at(run, "write end")
        async with asking(servers, "/slow-headers?delay=0.3", later, "FIN"):
            await servers.life(later)
        assert len(servers.of(ChunkSent, run)) == 10
        assert await servers.where(run) == "write end"
        servers.strike(run, "stop")
        life = await servers.life(run)
        assert life.cancelled.evidence == "at write end, told by its server's cancel"


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("at", ["sleep after #1", "sleep before first chunk", "sleep before head"])
async def test_a_handler_that_watches_is_told(servers: Servers, end: str, at: str) -> None:
    run = servers.new_run()
    target = {
        "sleep after #1": "/stream?interval=60",
        "sleep before first chunk": "/stream?delay=60",
        "sleep before head": "/slow-headers?delay=60",
    }[at]
    async with asking(servers, f"{target}&watch=1", run, end) as leave:
        await servers.until_at(run, at)
        await leave()
        life = await servers.life(run)
    assert (life.cancelled.error, life.cancelled.evidence) == ("CancelledError", f"at {at}, told by http.disconnect")
    assert life.cleaned.evidence == "finally ran"


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_its_server_ends_a_connection_and_tells_who_watches(servers: Servers, how: str) -> None:
    run = servers.new_run()
    async with await Raw.connect(servers.hypercorn) as raw:
        await raw.get("/stream?interval=60&watch=1", run)
        await raw.until(b"x" * 1024)
        signal = await servers.struck(run, how)
        if how == "fin":
            assert not (await raw.rest()).endswith(b"0\r\n\r\n")
        else:
            with pytest.raises(ConnectionResetError):
                await raw.rest()
        life = await servers.life(run)
    named = {"fin": ("server FIN", "close"), "rst": ("server RST", "abort")}[how]
    assert (signal.cause, signal.how) == (named[0], f"hypercorn's transport.{named[1]}")
    assert life.cancelled.evidence.endswith("told by http.disconnect")


async def test_its_server_ends_the_connection_of_a_stream(servers: Servers) -> None:
    run = servers.new_run()
    async with H2Client.connect(servers.hypercorn) as client:
        await client.request("/stream?interval=60&watch=1", run)
        await servers.started(run)
        await servers.struck(run, "rst")
        life = await servers.life(run)
    assert life.cancelled.evidence.endswith("told by http.disconnect")


async def test_a_handler_that_watches_may_swallow_what_it_is_told(servers: Servers) -> None:
    run = servers.new_run()
    async with asking(servers, "/stream?chunks=5&interval=0.1&behaviour=swallow&watch=1", run, "RST") as leave:
        await servers.sent(run, 1)
        await leave()
        life = await servers.life(run)
    swallowed = servers.of(CancelSwallowed, run)
    assert len(swallowed) == 1
    assert re.fullmatch(r"at (sleep after|write) #\d, told by http\.disconnect", swallowed[0].evidence)
    assert life.completed.evidence == "5 chunks, 5120 bytes"


@pytest.mark.parametrize("http2", [False, True])
async def test_a_handler_that_reads_is_told_without_watching(servers: Servers, http2: bool) -> None:
    run = servers.new_run()
    if http2:
        async with H2Client.connect(servers.hypercorn) as client:
            stream = await client.request("/upload", run, method="PUT", end=False)
            await client.call("send_data", stream, b"y" * 100)
            await servers.until_at(run, "read #2")
            await client.call("reset_stream", stream, ErrorCodes.CANCEL)
            life = await servers.life(run)
    else:
        async with await Raw.connect(servers.hypercorn) as raw:
            await raw.get("/upload", run, method="PUT", headers="content-length: 1000\r\n")
            await raw.send(b"y" * 100)
            await servers.until_at(run, "read #2")
            raw.rst()
            life = await servers.life(run)
    assert (life.cancelled.error, life.cancelled.evidence) == ("Disconnected", "at read #2, told by http.disconnect")


async def test_one_stream_is_told_and_no_other(servers: Servers) -> None:
    first, second = servers.new_run(), servers.new_run()
    async with H2Client.connect(servers.hypercorn) as client:
        stream = await client.request("/stream?interval=60&watch=1", first)
        other = await client.request("/stream?chunks=4&interval=0.1&watch=1", second)
        await servers.sent(first, 1)
        await servers.sent(second, 1)
        await client.call("reset_stream", stream, ErrorCodes.CANCEL)
        await servers.life(first)
        await client.until(he.StreamEnded, other)
        assert (await servers.life(second)).completed.evidence == "4 chunks, 4096 bytes"


@pytest.mark.parametrize(
    ("method", "target", "status", "text"),
    [
        ("GET", "/nowhere", 404, "nothing at '/nowhere'"),
        ("POST", "/stream", 405, "/stream takes GET"),
        ("GET", "/stream?behaviour=swallow:x&watch=1", 400, "swallow takes a whole number"),
        ("GET", "/stream?watch=2", 400, "unknown parameter 'watch'"),
        ("PUT", "/upload?watch=1", 400, "unknown parameter 'watch'"),
    ],
)
async def test_what_is_asked_wrongly_is_refused(
    servers: Servers, method: str, target: str, status: int, text: str
) -> None:
    async with httpx.AsyncClient(trust_env=False, base_url=f"http://{servers.hypercorn}") as client:
        response = await client.request(method, target)
    assert response.status_code == status
    assert response.text.startswith(text)


# --- its end: each in a process of its own -------------------------------------------------------------


@pytest.mark.parametrize("grace", [None, 0.3])
@pytest.mark.parametrize("protocol", ["http/1.1", "http/2"])
async def test_it_stops_and_cancels_what_still_runs(grace: float | None, protocol: str) -> None:
    # Over HTTP/2 hypercorn 0.18 fails in its own cleanup, after its handler has been cancelled.
    noise = r"[^\n]*RuntimeWarning: coroutine 'TCPServer\._idle_timeout' was never awaited\n(.*\n)*"
    async with running(may_say=noise if protocol == "http/2" else "") as servers:
        run = servers.new_run()
        async with asking(servers, "/stream?interval=60", run, "FIN" if protocol == "http/1.1" else "GOAWAY"):
            await servers.sent(run, 1)
            signal = await servers.struck(run, "stop", grace)
            life = await servers.life(run)
        assert life.cancelled.evidence == "at sleep after #1, told by its server's cancel"
        assert life.cancelled.t - signal.t >= ((grace or 0.001) - 0.001) * 1e9
        assert (signal.cause, signal.how) == ("server stop", f"hypercorn shutdown, graceful_timeout {grace or 0:g}")
        with pytest.raises(ConnectionRefusedError):
            await Raw.connect(servers.hypercorn)
        # The others of the process are none of its business.
        async with await Raw.connect(servers.http) as raw:
            await raw.get("/slow-headers", servers.new_run())
            await raw.until(b"at last\n")


@pytest.mark.parametrize("behaviour", ["cooperative", "slow-cleanup:60", "writes-only", "shielded", "executor"])
async def test_it_ends_with_the_process(behaviour: str) -> None:
    async with running() as servers:
        over_1, over_2, over = servers.new_run(), servers.new_run(), servers.new_run()
        target = f"/stream?interval=60&behaviour={behaviour}"
        async with (
            asking(servers, target, over_1, "FIN"),
            asking(servers, target, over_2, "GOAWAY"),
            asking(servers, target, over, "RST") as gone,
            await Raw.connect(servers.hypercorn),
        ):
            for run in (over_1, over_2, over):
                await servers.sent(run, 1)
            await gone()
            servers.say(b'{"cmd": "quit"}')
            assert await servers.process.wait() == 0
        told = servers.of(CancelSwallowed if behaviour == "writes-only" else SpanCancelled)
        assert {event.run for event in told} == {over_1, over_2, over}
        assert {event.evidence for event in told} == {"at sleep after #1, told by the server's shutdown"}
    left = [text for text in servers.notes() if not text.startswith("servers: left behind: http/")]
    assert left == []
