"""Laws of the tap's decoders, over drawn cuts, damaged sessions and garbage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.tap.decode.duplex import Duplex
from probes.tap.decode.headers import BLOCK_LIMIT
from probes.tap.decode.http1 import HEAD_LIMIT
from probes.tap.seen import Conversation, Seen
from tests.unit.tap.sessions import (
    DIRECTIONS,
    HTTP,
    POSTGRES,
    SESSIONS,
    Cut,
    Decoded,
    Script,
    by,
    conversation_for,
    decode,
)

READY = {name: make() for name, make in SESSIONS.items()}
PIECE = 1 << 16
HELD = max(BLOCK_LIMIT, HEAD_LIMIT) + PIECE

names = st.sampled_from(sorted(SESSIONS))
ways = st.sampled_from(DIRECTIONS)
few_steps = settings(max_examples=150, deadline=None)


def drawn(sizes: list[int]) -> Cut:
    """Pieces of the drawn sizes in turn."""

    def cut(data: bytes) -> Iterator[bytes]:
        start = turn = 0
        while start < len(data):
            size = sizes[turn % len(sizes)]
            yield data[start : start + size]
            start += size
            turn += 1

    return cut


cuts = st.lists(st.integers(1, 5000), min_size=1, max_size=8).map(drawn)


def check(decoded: Decoded, script: Script) -> None:
    """What holds whatever the bytes were."""
    for way in DIRECTIONS:
        fed = sum(len(data) for step, data in script if step == way)
        lost = decoded.lost[way]
        assert len(lost) <= 1
        assert not any(item.reason.startswith("defect") for item in lost)
        assert decoded.said[way] == fed
        if lost:
            after = decoded.items[way][decoded.items[way].index(lost[0]) :]
            assert not any(isinstance(item, Seen) for item in after)
        assert all(len(seen.detail) <= 120 and seen.detail.isprintable() for seen in decoded.seen[way])


@few_steps
@given(name=names, cut=cuts)
def test_any_cut_of_a_real_session_is_decoded_alike(name: str, cut: Cut) -> None:
    expected = decode(conversation_for(name), READY[name]).merged()
    assert decode(conversation_for(name), READY[name], cut).merged() == expected


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, Script]:
    """A real session of which one step was changed, cut short, doubled, or sent by the wrong side."""
    name = draw(names)
    script = list(READY[name])
    at = draw(st.integers(0, len(script) - 1))
    way, data = script[at]
    where = draw(st.integers(0, len(data)))
    rubbish = draw(st.binary(max_size=24))
    changed = draw(
        st.sampled_from(
            [
                [(way, data[:where] + rubbish + data[where + len(rubbish) :])],
                [(way, data[:where] + rubbish + data[where:])],
                [(way, data[:where])],
                [(way, data), (way, data)],
                [(DIRECTIONS[way == DIRECTIONS[0]], data)],
            ]
        )
    )
    script[at : at + 1] = [(step, piece) for step, piece in changed if piece]
    return name, script


@few_steps
@given(session=damaged(), cut=cuts)
def test_a_damaged_session_never_raises_and_every_cut_agrees(session: tuple[str, Script], cut: Cut) -> None:
    name, script = session
    decoded = decode(conversation_for(name), script)
    check(decoded, script)
    assert decode(conversation_for(name), script, cut).merged() == decoded.merged()


garbage = st.lists(st.tuples(ways, st.binary(min_size=1, max_size=200)), max_size=12)


@few_steps
@given(name=st.sampled_from([min(HTTP), min(POSTGRES)]), script=garbage, size=st.integers(1, 50))
def test_garbage_never_raises(name: str, script: Script, size: int) -> None:
    decoded = decode(conversation_for(name), script)
    check(decoded, script)
    assert decode(conversation_for(name), script, by(size)).merged() == decoded.merged()


@few_steps
@given(name=names, tail=garbage)
def test_garbage_after_a_session_never_raises(name: str, tail: Script) -> None:
    script = READY[name] + tail
    check(decode(conversation_for(name), script), script)


HEADS = (
    b"GET /",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x01\x00\x00\x01\x00\x00\x00\x00\x01",
    b"\xff\xff\xff\x09\x00\x00\x00\x00\x01",
    b"\x00\x00\x00\x01\x00\x00\x00\x00\x01",
    b"\x00\x00\x01\x04\x00\x00\x00\x00\x00",
    b"\x00\x00\x09\x00\x03\x00\x00user\x00\x00Q\x3f\xff\xff\xff",
    b"\x00\x00\x27\x10\x00\x03\x00\x00",
    b"\x16\x03\x01\x40\x00\x01",
    b"",
)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("fill", [b"a", b"\0", b"\xff", b"\n", b"\0\0\0\x09\0\0\0\0\x01", b"\0\0\0\x04\0\0\0\0\0"])
@pytest.mark.parametrize("name", [min(HTTP), min(POSTGRES)])
def test_what_is_held_is_bounded(name: str, head: bytes, fill: bytes) -> None:
    """Two megabytes that never end what they began: what waits stays below the bound, in both directions."""
    for way in DIRECTIONS:
        conversation = conversation_for(name)
        conversation.feed(way, head)
        for piece in repeated(fill, 32):
            conversation.feed(way, piece)
            assert waiting(conversation) <= HELD


def repeated(fill: bytes, pieces: int) -> Iterable[bytes]:
    piece = (fill * (PIECE // len(fill) + 1))[:PIECE]
    return (piece for _ in range(pieces))


def waiting(conversation: Conversation) -> int:
    """Bytes that were fed and are still kept, by all inputs of the conversation."""
    assert isinstance(conversation, Duplex)
    return sum(len(side.source.data) for side in conversation._sides.values())
