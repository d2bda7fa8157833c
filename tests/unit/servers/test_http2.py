"""HTTP/2 with prior knowledge against the real process: streams, resets, windows, wrong input."""

from __future__ import annotations

import contextlib
import random
import re

import h2.events as he
import httpx
import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from probes.events import ChunkSent
from tests.kit.servers_kit import NO_SUCH_BEHAVIOUR, H2Client, Raw, Servers, attribution

pytestmark = pytest.mark.asyncio(loop_scope="module")

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes.fromhex("000000040000000000")
AWAITS = {
    "sleep before head": "/slow-headers?delay=60",
    "sleep before first chunk": "/stream?delay=60",
    "sleep after #1": "/stream?interval=60",
    "write #64": "/stream?interval=0&size=1024",
    "read #1": "/upload",
}


async def arrive(servers: Servers, client: H2Client, at: str) -> tuple[int, int]:
    """Send the request whose handler waits at ``at`` and wait until it is there; its run and stream."""
    run = servers.new_run()
    upload = at == "read #1"
    stream = await client.request(AWAITS[at], run, method="POST" if upload else "GET", end=not upload)
    await servers.started(run)
    if at == "sleep after #1":
        await servers.sent(run, 1)
    elif at == "write #64":
        # The client's window is 65,535 bytes: the 64th chunk lacks one byte of it.
        await client.until_data(stream, 65_535)
        await servers.sent(run, 63)
    return run, stream


@pytest.mark.parametrize("at", AWAITS)
async def test_a_reset_at_each_await(servers: Servers, at: str) -> None:
    async with H2Client.connect(servers.http) as client:
        run, stream = await arrive(servers, client, at)
        await client.call("reset_stream", stream, ErrorCodes.CANCEL)
        life = await servers.life(run)
        assert life.cancelled.error == "CancelledError"
        assert life.cancelled.evidence == f"at {at}, told by RST_STREAM CANCEL(8)"
        assert life.cleaned.evidence == "finally ran"


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("fin", "FIN"),
        ("rst", "RST"),
        ("goaway", "GOAWAY ENHANCE_YOUR_CALM(11)"),
        ("refused", "RST_STREAM REFUSED_STREAM(7)"),
        ("unknown", "RST_STREAM unknown code 4711"),
        ("violation", r"a violation of HTTP/2 \(.+\)"),
    ],
)
async def test_every_way_to_go_is_told_apart(servers: Servers, end: str, told: str) -> None:
    async with H2Client.connect(servers.http) as client:
        run, stream = await arrive(servers, client, "sleep after #1")
        if end == "fin":
            client.raw.fin()
        elif end == "rst":
            # Unread bytes would make a FIN a RST as well: this one is a reset by linger.
            client.raw.rst()
        elif end == "goaway":
            await client.call("close_connection", ErrorCodes.ENHANCE_YOUR_CALM)
        elif end == "violation":
            # DATA on stream 0 (RFC 9113, 6.1).
            await client.raw.send(bytes.fromhex("000001000000000000") + b"x")
        else:
            code = 7 if end == "refused" else 4711
            await client.raw.send(b"\0\0\4\3\0" + stream.to_bytes(4, "big") + code.to_bytes(4, "big"))
        life = await servers.life(run)
        assert re.fullmatch(
            f"at sleep after #1, told by {told if 'violation' in told else re.escape(told)}", life.cancelled.evidence
        )


async def test_the_end_of_a_connection_tells_each_of_its_streams(servers: Servers) -> None:
    async with H2Client.connect(servers.http) as client:
        runs = [(await arrive(servers, client, "sleep before head"))[0] for _ in range(3)]
        client.raw.fin()
        for run in runs:
            assert (await servers.life(run)).cancelled.evidence == "at sleep before head, told by FIN"


async def test_a_reset_stream_leaves_its_siblings_alone(servers: Servers) -> None:
    async with H2Client.connect(servers.http) as client:
        victim, victims_stream = await arrive(servers, client, "sleep after #1")
        runs = [servers.new_run() for _ in range(12)]
        streams = [await client.request("/stream?chunks=5&size=100&interval=0.01", run) for run in runs]
        await client.call("reset_stream", victims_stream, ErrorCodes.CANCEL)
        for stream in streams:
            await client.until(he.StreamEnded, stream)
            assert client.data(stream) == 500
        for run in runs:
            life = await servers.life(run)
            assert life.completed.evidence == "5 chunks, 500 bytes"
            assert len(life.chunks) == 5
        assert (await servers.life(victim)).cancelled.evidence.endswith("RST_STREAM CANCEL(8)")


async def test_a_reset_after_the_end_is_no_cancel(servers: Servers) -> None:
    run = servers.new_run()
    async with H2Client.connect(servers.http) as client:
        stream = await client.request("/stream?chunks=1&interval=0&behaviour=slow-cleanup:0.05", run)
        await client.until(he.StreamEnded, stream)
        await client.raw.send(b"\0\0\4\3\0" + stream.to_bytes(4, "big") + bytes(4))
        client.raw.fin()
        life = await servers.life(run)
        assert life.completed.evidence == "1 chunk, 1024 bytes"
        assert life.cleaned.t - life.completed.t >= 45_000_000


@pytest.mark.parametrize("how", ["stream", "settings"])
async def test_a_stalled_stream_goes_on_when_its_window_grows(servers: Servers, how: str) -> None:
    run = servers.new_run()
    async with H2Client.connect(servers.http, window=1000) as client:
        stream = await client.request("/stream?chunks=4&size=600&interval=0", run)
        await client.until_data(stream, 1000)
        assert await servers.stalled(run) == "write #2"
        assert len(servers.of(ChunkSent, run)) == 1
        if how == "stream":
            await client.call("increment_flow_control_window", 5000, stream)
        else:
            await client.call("update_settings", {SettingCodes.INITIAL_WINDOW_SIZE: 6000})
        await client.until(he.StreamEnded, stream)
        assert client.data(stream) == 2400
        assert (await servers.life(run)).completed.evidence == "4 chunks, 2400 bytes"


async def test_the_connections_window_holds_all_streams(servers: Servers) -> None:
    first, second = servers.new_run(), servers.new_run()
    async with H2Client.connect(servers.http, window=1 << 20) as client:
        greedy = await client.request("/stream?chunks=100&size=65535&interval=0", first)
        await client.until_data(greedy, 65_535)
        starved = await client.request("/stream?chunks=1&size=10&interval=0", second)
        assert await servers.stalled(second) == "write #1"
        await client.call("reset_stream", greedy, ErrorCodes.CANCEL)
        await client.call("increment_flow_control_window", 10)
        await client.until(he.StreamEnded, starved)
        assert (await servers.life(second)).completed.evidence == "1 chunk, 10 bytes"
        assert (await servers.life(first)).cancelled.evidence == "at write #2, told by RST_STREAM CANCEL(8)"


async def test_an_upload_is_read_at_the_handlers_pace(servers: Servers) -> None:
    run = servers.new_run()
    async with H2Client.connect(servers.http) as client:
        stream = await client.request("/upload?interval=0.01", run, method="PUT", end=False)
        left = 200_000
        while left:
            room = min(client.h2.local_flow_control_window(stream), client.h2.max_outbound_frame_size, left)
            if room:
                await client.call("send_data", stream, b"y" * room)
                left -= room
            else:
                client.events.clear()
                await client.until(he.WindowUpdated)
        await client.call("end_stream", stream)
        await client.until(he.StreamEnded, stream)
        assert (await servers.life(run)).completed.evidence == "200000 bytes read"


async def test_an_upload_can_have_a_wider_window(servers: Servers) -> None:
    """Of the stream and of the connection (RFC 9113, 6.9)."""
    run = servers.new_run()
    async with H2Client.connect(servers.http) as client:
        stream = await client.request("/upload?interval=60&window=1000000", run, method="PUT", end=False)
        await client.until(he.WindowUpdated, stream)
        assert client.h2.local_flow_control_window(stream) == 1_065_535


async def test_a_cancelled_upload_gives_the_connections_window_back(servers: Servers) -> None:
    run = servers.new_run()
    async with H2Client.connect(servers.http) as client:
        stream = await client.request("/upload?interval=60", run, method="PUT", end=False)
        for _ in range(3):
            await client.call("send_data", stream, b"y" * 16_384)
        await servers.started(run)
        await client.call("reset_stream", stream, ErrorCodes.CANCEL)
        assert (await servers.life(run)).cancelled.evidence.endswith("RST_STREAM CANCEL(8)")
        other = servers.new_run()
        stream = await client.request("/upload", other, method="PUT", end=False)
        await client.until(he.WindowUpdated, 0)
        for _ in range(3):
            await client.call("send_data", stream, b"y" * 16_384)
        await client.call("end_stream", stream)
        await client.until(he.StreamEnded, stream)
        assert (await servers.life(other)).completed.evidence == "49152 bytes read"


async def test_a_refused_upload_is_answered_and_reset_without_error(servers: Servers) -> None:
    async with H2Client.connect(servers.http) as client:
        stream = await client.request("/nowhere", servers.new_run(), method="POST", end=False)
        assert await client.status(stream) == 404
        await client.until(he.StreamEnded, stream)
        assert (await client.until(he.StreamReset, stream)).error_code == ErrorCodes.NO_ERROR


async def test_httpx_speaks_it(servers: Servers) -> None:
    run = servers.new_run()
    async with httpx.AsyncClient(http1=False, http2=True, trust_env=False) as client:
        response = await client.get(
            f"http://{servers.http}/stream?chunks=3&size=9&interval=0", headers=attribution(run)
        )
        assert (response.http_version, response.content) == ("HTTP/2", b"x" * 27)
        refused = await client.get(f"http://{servers.http}/stream?behaviour=zombie")
        assert (refused.status_code, refused.text) == (400, f"{NO_SUCH_BEHAVIOUR}\n")
        head = await client.head(f"http://{servers.http}/stream")
        assert (head.status_code, head.headers["allow"], head.content) == (405, "GET", b"")
    assert re.fullmatch(r"GET /stream from 127\.0\.0\.1:\d+", (await servers.life(run)).started.evidence)


async def test_the_preface_may_come_byte_by_byte(servers: Servers) -> None:
    async with await Raw.connect(servers.http) as raw:
        for byte in PREFACE + SETTINGS:
            await raw.send(bytes([byte]))
        assert (await raw.some())[3] == 4


async def test_a_header_that_is_no_text(servers: Servers) -> None:
    async with H2Client.connect(servers.http) as client:
        stream = await client.request("/", servers.new_run(), extra=[("x-odd", b"\xff\xfe")])  # type: ignore[list-item]
        assert await client.status(stream) == 200


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        # DATA on stream 0 (RFC 9113, 6.1); SETTINGS whose length is no multiple of 6 (6.5); a bad header block, to
        # which h2 says PROTOCOL_ERROR where RFC 9113, 4.3 wants COMPRESSION_ERROR.
        ("00000100000000000078", ErrorCodes.PROTOCOL_ERROR),
        ("00000104000000000078", ErrorCodes.FRAME_SIZE_ERROR),
        ("000003010400000001ffffff", ErrorCodes.PROTOCOL_ERROR),
    ],
)
async def test_garbage_gets_goaway(servers: Servers, frame: str, code: ErrorCodes) -> None:
    async with await Raw.connect(servers.http) as raw:
        await raw.send(PREFACE + SETTINGS + bytes.fromhex(frame))
        frames = await raw.rest()
    goaway = frames[-17:]
    assert goaway[3] == 7
    assert int.from_bytes(goaway[-4:], "big") == code


async def test_no_garbage_hurts_the_server(servers: Servers) -> None:
    chance = random.Random(7)
    for _ in range(150):
        async with H2Client.connect(servers.http) as client:
            stream = client.h2.get_next_available_stream_id()
            head = [(":method", "PUT"), (":path", "/upload"), (":scheme", "http"), (":authority", "x")]
            client.h2.send_headers(stream, head)
            client.h2.send_data(stream, b"abc", end_stream=chance.random() < 0.5)
            data = bytearray(client.h2.data_to_send())
            for _ in range(chance.randrange(1, 5)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            await client.raw.send(bytes(data) + chance.randbytes(chance.randrange(40)))
            client.raw.fin()
            with contextlib.suppress(ConnectionResetError):
                await client.raw.rest()
    await servers.no_handlers()
    assert servers.notes() == []
