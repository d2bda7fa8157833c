"""A server that acts of its own accord: what its client sees, what the handler is told, and what is said about it."""

from __future__ import annotations

import grpc
import grpc.aio
import h2.events as he
import pytest
from h2.errors import ErrorCodes

from probes.events import CancelSwallowed, Signal, SpanCancelled, SpanCompleted
from probes.schema import SlowRequest
from tests.kit.grpc_kit import connected, within
from tests.kit.servers_kit import LANE, H2Client, Life, Raw, Servers, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

RESPONSE = "/stream?interval=60"


def check(signal: Signal, life: Life, cause: str, how: str) -> None:
    assert (signal.layer, signal.lane, signal.cause, signal.how) == ("server", LANE, cause, how)
    assert life.started.t < signal.t <= life.end.t
    assert signal.seq < life.end.seq


# --- HTTP/1.1 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", ["cooperative", "slow-cleanup:0.05", "executor:0.05", "shielded"])
async def test_http1_closes_in_order(servers: Servers, behaviour: str) -> None:
    run = servers.new_run()
    async with await Raw.connect(servers.http) as raw:
        await raw.get(f"/stream?interval=0.3&behaviour={behaviour}", run)
        await raw.until(b"x" * 1024)
        signal = await servers.struck(run, "fin")
        # End of file, not a reset; and the body has no end.
        assert not (await raw.rest()).endswith(b"0\r\n\r\n")
        life = await servers.life(run)
    check(signal, life, "server FIN", "transport.write_eof")
    assert life.cancelled.evidence.endswith(", told by the server's own FIN")


async def test_http1_closes_in_order_while_the_client_sends(servers: Servers) -> None:
    run = servers.new_run()
    async with await Raw.connect(servers.http) as raw:
        await raw.get("/upload?interval=60", run, method="PUT", headers="content-length: 1000000\r\n")
        await raw.send(b"y" * 200_000)
        await servers.until_at(run, "sleep after read #1")
        await servers.struck(run, "fin")
        await raw.send(b"y" * 300_000)
        assert await raw.rest() == b""
        life = await servers.life(run)
    assert life.cancelled.evidence == "at sleep after read #1, told by the server's own FIN"


@pytest.mark.parametrize("target", [RESPONSE, "/slow-headers?delay=60", "/stream?interval=0&size=1000000"])
async def test_http1_resets(servers: Servers, target: str) -> None:
    run = servers.new_run()
    async with await Raw.connect(servers.http) as raw:
        await raw.get(target, run)
        await servers.started(run)
        signal = await servers.struck(run, "rst")
        with pytest.raises(ConnectionResetError):
            await raw.rest()
        life = await servers.life(run)
    check(signal, life, "server RST", "transport.abort")
    assert life.cancelled.evidence.endswith(", told by the server's own RST")


# --- HTTP/2 -------------------------------------------------------------------------------------------


async def test_http2_resets_one_stream_and_no_other(servers: Servers) -> None:
    run, other = servers.new_run(), servers.new_run()
    async with H2Client.connect(servers.http) as client:
        stream = await client.request(RESPONSE, run)
        await client.request("/stream?chunks=1&interval=0&delay=0.2", other)
        await servers.started(other)
        signal = await servers.struck(run, "rst_stream")
        assert (await client.until(he.StreamReset, stream)).error_code == ErrorCodes.CANCEL
        life = await servers.life(run)
        assert (await servers.life(other)).completed.evidence == "1 chunk, 1024 bytes"
    check(signal, life, "server RST_STREAM", "reset_stream CANCEL(8)")
    assert life.cancelled.evidence.endswith(", told by the server's own RST_STREAM CANCEL(8)")


async def test_http2_goes_away(servers: Servers) -> None:
    run = servers.new_run()
    async with H2Client.connect(servers.http) as client:
        await client.request(RESPONSE, run)
        await servers.sent(run, 1)
        signal = await servers.struck(run, "goaway")
        assert (await client.until(he.ConnectionTerminated)).error_code == ErrorCodes.NO_ERROR
        await client.raw.rest()
        life = await servers.life(run)
    check(signal, life, "server GOAWAY", "close_connection NO_ERROR")
    assert life.cancelled.evidence.endswith(", told by the server's own GOAWAY NO_ERROR(0)")


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_http2_loses_its_connection(servers: Servers, how: str) -> None:
    run, other = servers.new_run(), servers.new_run()
    async with H2Client.connect(servers.http) as client:
        await client.request(RESPONSE, run)
        await client.request("/upload", other, method="PUT", end=False)
        await servers.started(run)
        await servers.started(other)
        await servers.struck(run, how)
        if how == "fin":
            await client.call("ping", b"x" * 8)
            await client.raw.rest()
        else:
            with pytest.raises(ConnectionResetError):
                await client.raw.rest()
        for each in (run, other):
            assert (await servers.life(each)).cancelled.evidence.endswith(f", told by the server's own {how.upper()}")
    assert servers.of(Signal, other) == []


# --- gRPC ---------------------------------------------------------------------------------------------


ALL = (
    "cooperative",
    "slow-cleanup:0.05",
    "swallow",
    "blocking:0.02",
    "executor:0.02",
    "shielded",
    "asks-context",
    "writes-only",
)


@pytest.mark.parametrize("behaviour", ALL)
@pytest.mark.parametrize("shape", ["unary", "stream", "upload", "bidi"])
async def test_grpc_aborts(servers: Servers, shape: str, behaviour: str) -> None:
    run = servers.new_run()
    async with connected(servers) as client:
        asked = {"behaviour": behaviour, "delay": 60}
        call = getattr(client, shape)(run, **(asked if shape in ("unary", "stream") else {}))
        if shape in ("upload", "bidi"):
            await call.write(SlowRequest(end=True, **asked))
        await servers.until_at(run, f"sleep before {'first chunk' if shape in ('stream', 'bidi') else 'response'}")
        signal = await servers.struck(run, "abort")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await within(call.read() if shape in ("stream", "bidi") else call)
        assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.ABORTED, "a strike")
        life = await servers.life(run)
    check(signal, life, "server abort", "context.abort ABORTED")
    assert life.failed.error == "AbortError"
    assert life.failed.evidence.startswith("at sleep before ")
    assert servers.of(CancelSwallowed, run) == []


async def test_grpc_aborts_while_it_reads_and_while_a_write_waits(servers: Servers) -> None:
    reading, writing = servers.new_run(), servers.new_run()
    async with connected(servers) as client:
        upload = client.upload(reading)
        await upload.write(SlowRequest(data=b"abc"))
        stream = client.stream(writing, size=1 << 20)
        await servers.until_at(reading, "read #2")
        await servers.started(writing)
        await servers.stalled(writing)
        for run in (reading, writing):
            await servers.struck(run, "abort")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await within(upload)
        assert caught.value.code() is grpc.StatusCode.ABORTED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            while await within(stream.read()) is not grpc.aio.EOF:
                pass
        assert caught.value.code() is grpc.StatusCode.ABORTED
    assert (await servers.life(reading)).failed.evidence.startswith("at read #2")
    assert (await servers.life(writing)).failed.evidence.startswith("at write #1")


async def test_a_grpc_handler_that_cancels_itself_leaves_its_client_without_an_answer(servers: Servers) -> None:
    """grpc #29248, on purpose. What would have been sent would have come before the answer to the next call."""
    run, next_run = servers.new_run(), servers.new_run()
    async with connected(servers) as client:
        call = client.unary(run, delay=60)
        await servers.started(run)
        signal = await servers.struck(run, "raise")
        life = await servers.life(run)
        await within(client.unary(next_run))
        assert not call.done()
        call.cancel()
    check(signal, life, "server abort", "raise CancelledError")
    assert (life.failed.error, life.failed.evidence) == (
        "CancelledError",
        "at sleep before response: of its own accord",
    )


# --- stopping: each in a process of its own ------------------------------------------------------------


async def test_grpc_stops_at_once() -> None:
    async with running() as servers, connected(servers) as client:
        run = servers.new_run()
        call = client.stream(run, interval=60)
        await call.read()
        signal = await servers.struck(run, "stop")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await within(call.read())
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        check(signal, await servers.life(run), "server stop", "server.stop(None)")
        # The HTTP server of the same process is none of its business.
        async with await Raw.connect(servers.http) as raw:
            await raw.get("/slow-headers", servers.new_run())
            await raw.until(b"at last\n")


@pytest.mark.parametrize("behaviour", ALL)
async def test_grpc_stops_with_any_handler(behaviour: str) -> None:
    async with running() as servers, connected(servers) as client:
        run = servers.new_run()
        call = client.stream(run, interval=0.3, behaviour=behaviour)
        await call.read()
        await servers.struck(run, "stop", 0.05)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            while await within(call.read()) is not grpc.aio.EOF:
                pass
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        await servers.life(run)
        await servers.no_handlers()


async def test_grpc_leaves_its_handlers_a_grace() -> None:
    async with running() as servers, connected(servers) as client:
        short, long = servers.new_run(), servers.new_run()
        ends, stays = client.stream(short, chunks=2, interval=0.1), client.stream(long, interval=60)
        await ends.read()
        await stays.read()
        await servers.sent(long, 1)
        signal = await servers.struck(long, "stop", 0.5)
        await ends.read()
        assert await within(ends.read()) is grpc.aio.EOF
        assert (await servers.life(short)).completed.evidence == "2 chunks, 2048 bytes"
        life = await servers.life(long)
        assert life.cancelled.evidence == "at sleep after #1, told by grpc.aio"
        assert life.cancelled.t - signal.t >= 490_000_000
        assert signal.how == "server.stop(0.5)"


@pytest.mark.parametrize("grace", [None, 0.0, 0.4])
async def test_http_stops(grace: float | None) -> None:
    async with running() as servers, await Raw.connect(servers.http) as raw, H2Client.connect(servers.http) as h2:
        first, second = servers.new_run(), servers.new_run()
        await raw.get(RESPONSE, first)
        await h2.request(RESPONSE, second)
        await servers.sent(first, 1)
        await servers.sent(second, 1)
        signal = await servers.struck(first, "stop", grace)
        await raw.rest()
        await h2.until(he.ConnectionTerminated)
        for run in (first, second):
            life = await servers.life(run)
            assert life.cancelled.evidence == "at sleep after #1, told by the server's shutdown"
            assert life.cancelled.t - signal.t >= ((grace or 0.001) - 0.001) * 1e9
        assert (signal.cause, signal.how) == ("server stop", f"server.close, grace {grace}")
        with pytest.raises(ConnectionRefusedError):
            await Raw.connect(servers.http)


async def test_http_stops_as_soon_as_nobody_is_served() -> None:
    async with running() as servers, await Raw.connect(servers.http) as raw:
        run = servers.new_run()
        await raw.get("/stream?chunks=2&size=5&interval=0.1", run)
        await raw.until(b"xxxxx")
        await servers.struck(run, "stop", 60)
        assert (await raw.rest()).endswith(b"0\r\n\r\n")
        assert (await servers.life(run)).completed.evidence == "2 chunks, 10 bytes"


# --- a connection at rest -----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_a_connection_that_is_kept_can_be_ended(servers: Servers, how: str) -> None:
    run = servers.new_run()
    async with await Raw.connect(servers.http) as raw:
        await raw.get("/stream?chunks=1&size=5&interval=0", run)
        await raw.until(b"0\r\n\r\n")
        life = await servers.life(run)
        signal = await servers.struck(run, how)
        if how == "fin":
            assert await raw.rest() == b""
        else:
            with pytest.raises(ConnectionResetError):
                await raw.rest()
    assert (signal.layer, signal.lane, signal.cause) == ("server", LANE, f"server {how.upper()}")
    assert life.completed.evidence == "1 chunk, 5 bytes"
    assert signal.t > life.end.t


async def test_a_connection_that_is_gone_cannot() -> None:
    async with running() as servers:
        run = servers.new_run()
        async with await Raw.connect(servers.http) as raw:
            await raw.get("/stream?chunks=1&size=5&interval=0", run)
            await raw.until(b"0\r\n\r\n")
            await servers.life(run)
            await servers.struck(run, "fin")
            servers.strike(run, "fin")
            await servers.until(servers.notes)
        assert servers.notes() == ["servers: strike fin: its connection is closed already"]


# --- what misses --------------------------------------------------------------------------------------


async def test_a_strike_that_misses_says_why() -> None:
    async with running() as servers, await Raw.connect(servers.http) as raw:
        run, swallowing = servers.new_run(), servers.new_run()
        await raw.get("/stream?interval=60&behaviour=slow-cleanup:60", run)
        await servers.sent(run, 1)
        servers.strike(run, "goaway")
        servers.strike(run, "kick")
        servers.strike(run, "fin", lane="another")
        servers.strike(run + 100, "fin")
        servers.say(b'{"cmd": "strike", "run": 1, "how": "stop", "grace": -1}')
        raw.fin()
        await servers.until(lambda: servers.of(SpanCancelled, run))
        # In its cleanup: there is no exchange any more.
        servers.strike(run, "fin")
        async with await Raw.connect(servers.http) as other:
            await other.get("/slow-headers?delay=60&behaviour=writes-only", swallowing)
            await servers.started(swallowing)
            other.rst()
            await servers.until(lambda: servers.of(CancelSwallowed, swallowing))
        servers.strike(swallowing, "rst")
        await servers.handlers()
        assert servers.notes() == [
            "servers: strike goaway: http/1.1 knows fin, rst, stop",
            "servers: unknown strike 'kick': fin, rst, rst_stream, goaway, abort, raise, stop are known",
            f"servers: strike fin: no handler runs for run {run} lane 'another'",
            f"servers: strike fin: no handler runs for run {run + 100} lane '{LANE}'",
            *[text for text in servers.notes() if text.startswith("servers: unreadable command ")],
            f"servers: strike fin: no handler runs for run {run} lane '{LANE}'",
            "servers: strike rst: its client is gone already",
        ]
        assert len(servers.notes()) == 7
        assert servers.of(Signal) == []


async def test_an_abort_of_a_call_that_is_gone_misses() -> None:
    async with running() as servers, connected(servers) as client:
        run = servers.new_run()
        call = client.unary(run, delay=60, behaviour="swallow")
        await servers.started(run)
        call.cancel()
        await servers.until(lambda: servers.of(CancelSwallowed, run))
        servers.strike(run, "abort")
        await servers.handlers()
        assert servers.notes() == ["servers: strike abort: its client is gone already"]
        assert servers.of(SpanCompleted, run) == []
