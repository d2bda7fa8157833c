"""HTTP/2 and gRPC: frames as they pass, also those that a peer must refuse."""

from __future__ import annotations

import tracemalloc

import pytest
from hpack import Encoder
from hyperframe.frame import (
    AltSvcFrame,
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
)

from probes.events import TO_CLIENT, TO_SERVER, Direction
from probes.schema import LANE_HEADER, RUN_HEADER
from probes.tap.decode import http_conversation
from probes.tap.decode.headers import BLOCK_LIMIT, SETTINGS_LIMIT
from probes.tap.decode.http2 import PREFACE
from probes.tap.decode.streams import CLOSED_LIMIT, OPEN_LIMIT, Streams
from probes.tap.seen import Seen, Tag, Tick
from tests.unit.tap.sessions import Decoded, by, captured, decode, grpc_message, h2_session

EMPTY_SETTINGS = SettingsFrame(0).serialize()
DATA_ON_STREAM_0 = b"\0\0\x01\0\0\0\0\0\0x"
GRPC = [(":status", "200"), ("content-type", "application/grpc")]


def frames(way: Direction, *sent: Frame | bytes, size: int = 1 << 20) -> Decoded:
    """What one side sends after the connection is set up."""
    data = b"".join(frame if isinstance(frame, bytes) else frame.serialize() for frame in sent)
    script = [(TO_SERVER, PREFACE + EMPTY_SETTINGS), (TO_CLIENT, EMPTY_SETTINGS), (way, data)]
    return decode(http_conversation(), script, by(size))


def headers(stream: int, block: bytes, *flags: str) -> HeadersFrame:
    return HeadersFrame(stream, block, flags=["END_HEADERS", *flags])


@pytest.fixture
def grpc() -> Decoded:
    return decode(http_conversation(), captured("grpc"))


@pytest.fixture
def session() -> Decoded:
    return decode(http_conversation(), h2_session())


def test_a_cancelled_grpc_call(grpc: Decoded) -> None:
    assert Seen("http/2", "RST_STREAM", "CANCEL(8)", stream=3, size=13, closes=True) in grpc.seen[TO_SERVER]
    assert grpc.total(TO_CLIENT, 3).messages == 3


def test_metadata_name_the_run(grpc: Decoded) -> None:
    requests = [seen for seen in grpc.seen[TO_SERVER] if seen.name == "HEADERS"]
    assert [seen.tag for seen in requests] == [Tag(7, "grpc")] * 5
    assert requests[3].detail.startswith(":method POST :path /cancelloscope.v1.Slow/Unary grpc-timeout 20")


def test_trailers_carry_the_status(grpc: Decoded) -> None:
    trailers = [seen for seen in grpc.seen[TO_CLIENT] if seen.detail.startswith("grpc-status")]
    assert [seen.code for seen in trailers] == ["0", "10", "4", "0"]
    assert trailers[1].detail == "grpc-status 10 ABORTED déjà vu\\n50 % off"
    assert trailers[2].detail == "grpc-status 4 DEADLINE_EXCEEDED Deadline Exceeded"


def test_each_stream_closes_once(grpc: Decoded, session: Decoded) -> None:
    for decoded in (grpc, session):
        closed = [seen.stream for way in (TO_SERVER, TO_CLIENT) for seen in decoded.seen[way] if seen.closes]
        assert len(closed) == len(set(closed))


def test_grpc_messages_are_counted_over_frames(session: Decoded) -> None:
    assert session.total(TO_CLIENT, 11).messages == 5
    assert session.total(TO_SERVER, 11).messages == 1


def test_padding_is_no_payload(session: Decoded) -> None:
    assert session.total(TO_CLIENT, 1) == Tick(1, 9 + 1 + 6 + 100 + 9, 6, 1)


def test_data_after_a_reset_still_counts(session: Decoded) -> None:
    items = [item for item in session.items[TO_CLIENT] if isinstance(item, Tick) and item.stream == 13]
    assert [item.body for item in items] == [3, 4]


def test_a_header_block_over_several_frames_is_one_head(session: Decoded) -> None:
    assert session.names(TO_SERVER)[3:6] == ["HEADERS", "CONTINUATION", "CONTINUATION"]
    assert session.seen[TO_SERVER][3].detail == ":method GET :path /big"


def test_a_shrunk_header_table_is_followed(session: Decoded) -> None:
    details = [seen.detail for seen in session.seen[TO_SERVER] if seen.name == "HEADERS"]
    assert details[1:5] == [":method GET :path /under-way", ":method GET :path /acknowledged"] * 2
    assert session.lost[TO_SERVER] == []


def test_debug_text_of_goaway_is_escaped(session: Decoded) -> None:
    goaway = session.seen[TO_SERVER][-1]
    assert (goaway.name, goaway.code) == ("GOAWAY", "NO_ERROR(0)")
    assert goaway.detail.endswith("bye\\x1b[31m")


def test_the_server_may_speak_first() -> None:
    conversation = http_conversation()
    assert conversation.feed(TO_CLIENT, EMPTY_SETTINGS[:5]) == []
    assert conversation.feed(TO_SERVER, PREFACE[:3]) == []
    assert conversation.feed(TO_CLIENT, EMPTY_SETTINGS[5:]) == [Seen("http/2", "SETTINGS", size=9)]
    assert conversation.proto == "http/2"
    assert conversation.feed(TO_SERVER, PREFACE[3:]) == [Seen("http/2", "PRI", detail="connection preface", size=24)]


def test_a_trailers_only_response_is_a_status() -> None:
    block = Encoder().encode([*GRPC, ("grpc-status", "14"), ("grpc-message", "gone%1B[2J")])
    head = frames(TO_CLIENT, headers(1, block, "END_STREAM")).seen[TO_CLIENT][1]
    assert (head.code, head.detail) == ("14", "grpc-status 14 UNAVAILABLE gone\\x1b[2J")


@pytest.mark.parametrize("status", ["99", "x", "", "٤", "1" * 5000])
def test_a_status_that_is_none_is_shown_as_it_is(status: str) -> None:
    block = Encoder().encode([("grpc-status", status)])
    decoded = frames(TO_CLIENT, headers(1, block))
    assert decoded.lost[TO_CLIENT] == []
    assert decoded.seen[TO_CLIENT][1].detail.startswith("grpc-status")


@pytest.mark.parametrize(
    ("run", "lane", "tag"),
    [
        ("7", "http/2 + reset", Tag(7, "http/2 + reset")),
        ("7", "", None),
        ("seven", "x", None),
        ("-1", "x", None),
        ("1" * 13, "x", None),
        ("7", "x" * 65, None),
        ("7", "a\x1b", None),
        ("٧", "x", None),
    ],
)
def test_only_a_well_formed_tag_is_one(run: str, lane: str, tag: Tag | None) -> None:
    fields = [(":method", "GET"), (":path", "/"), (RUN_HEADER, run), (LANE_HEADER, lane)]
    assert frames(TO_SERVER, headers(1, Encoder().encode(fields))).seen[TO_SERVER][2].tag == tag


def test_grpc_framing_needs_grpc() -> None:
    for kind, messages in (("application/grpc-web", 2), ("text/plain", 2), ("application/grpc;x", 1)):
        block = Encoder().encode([(":status", "200"), ("content-type", kind)])
        halves = grpc_message(40)[:9], grpc_message(40)[9:]
        decoded = frames(TO_CLIENT, headers(1, block), *(DataFrame(1, half) for half in halves))
        assert decoded.total(TO_CLIENT, 1).messages == messages


def test_an_unknown_frame_passes() -> None:
    decoded = frames(TO_CLIENT, AltSvcFrame(0, b"lab", b"h2"), b"\0\x40\0\x99\0\0\0\0\x05" + b"?" * 0x4000)
    assert decoded.names(TO_CLIENT)[1:] == ["ALTSVC", "type 0x99"]


def test_one_lost_direction_leaves_the_other() -> None:
    conversation = http_conversation()
    script = [(TO_SERVER, PREFACE + EMPTY_SETTINGS), (TO_CLIENT, EMPTY_SETTINGS), (TO_SERVER, DATA_ON_STREAM_0)]
    script += [(TO_CLIENT, RstStreamFrame(1, 8).serialize())]
    decoded = decode(conversation, script)
    assert len(decoded.lost[TO_SERVER]) == 1
    assert decoded.names(TO_CLIENT) == ["SETTINGS", "RST_STREAM"]


@pytest.mark.parametrize(
    "sent",
    [
        DATA_ON_STREAM_0,
        b"\0\0\x02\0\x08\0\0\0\x01\xffx",
        b"\0\0\0\0\x08\0\0\0\x01",
        b"\0\0\x03\x04\0\0\0\0\0abc",
        b"\0\0\x03\x03\0\0\0\0\x01abc",
        ContinuationFrame(1, b"x", flags=["END_HEADERS"]),
        headers(1, b"\xff\xff\xff\xff\xff\xff\xff"),
        headers(1, b"\x3f\xe1\xff\xff\x7f"),
        b"\x7f\xff\xff\x01\x04\0\0\0\x01",
        HeadersFrame(1, b"x").serialize() + DataFrame(1, b"x").serialize(),
        HeadersFrame(1, b"x").serialize() + ContinuationFrame(3, b"x", flags=["END_HEADERS"]).serialize(),
        HeadersFrame(1, b"x").serialize() + ContinuationFrame(1).serialize() * (BLOCK_LIMIT // 9 + 2),
        EMPTY_SETTINGS * (SETTINGS_LIMIT + 1),
    ],
)
def test_what_cannot_be_followed_is_lost_once(sent: Frame | bytes) -> None:
    decoded = frames(TO_CLIENT, sent, b"more")
    assert len(decoded.lost[TO_CLIENT]) == 1
    assert not decoded.lost[TO_CLIENT][0].reason.startswith("defect")


def test_a_header_list_that_explodes_is_lost() -> None:
    encoder = Encoder()
    block = encoder.encode([("x", "v" * 3000)]) + b"\xbe" * 5000
    assert [lost.reason for lost in frames(TO_CLIENT, headers(1, block)).lost[TO_CLIENT]] == [
        "header block: OversizedHeaderListError"
    ]


@pytest.mark.parametrize("grpc_stream", [True, False])
def test_a_message_of_64_mib_is_not_kept(grpc_stream: bool) -> None:
    """Four DATA frames of 2^24 - 1 bytes each, fed in pieces: memory stays far below one of them."""
    conversation = http_conversation()
    block = Encoder().encode(GRPC if grpc_stream else [(":status", "200")])
    conversation.feed(TO_CLIENT, EMPTY_SETTINGS + headers(1, block).serialize())
    length, piece, ticks = (1 << 24) - 1, bytes(1 << 16), []
    tracemalloc.start()
    for turn in range(4):
        conversation.feed(TO_CLIENT, length.to_bytes(3, "big") + b"\0\0\0\0\0\x01")
        prefix = b"" if turn else b"\0" + (4 * length - 5).to_bytes(4, "big")
        ticks += conversation.feed(TO_CLIENT, prefix)
        for start in range(len(prefix), length, len(piece)):
            ticks += conversation.feed(TO_CLIENT, piece[: length - start])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(tick.body for tick in ticks if isinstance(tick, Tick)) == 4 * length
    assert sum(tick.messages for tick in ticks if isinstance(tick, Tick)) == (1 if grpc_stream else 4)
    assert peak < 1 << 20


def test_remembered_streams_are_bounded() -> None:
    streams = Streams()
    for number in range(1, 3 * OPEN_LIMIT):
        streams.get(number)
    for number in range(1, 3 * OPEN_LIMIT, 2):
        streams.close(number)
    assert len(streams._open) <= OPEN_LIMIT
    assert len(streams._closed) <= CLOSED_LIMIT


def test_goaway_keeps_the_head_of_its_text() -> None:
    goaway = GoAwayFrame(0, last_stream_id=5, error_code=11, additional_data=b"too_many_pings" * 500)
    seen = frames(TO_CLIENT, goaway).seen[TO_CLIENT][1]
    assert seen.code == "ENHANCE_YOUR_CALM(11)"
    assert seen.detail.startswith("last stream 5 too_many_pings")
    assert len(seen.detail) == 120
    assert seen.size == 9 + 8 + 14 * 500
