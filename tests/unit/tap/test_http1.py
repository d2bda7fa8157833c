"""HTTP/1.1: bodies are followed by RFC 9112's rules, whatever they contain."""

from __future__ import annotations

import h11
import pytest

from probes.events import TO_CLIENT, TO_SERVER
from probes.tap.decode import http_conversation
from probes.tap.decode.http1 import HEAD_LIMIT, PIPELINE_LIMIT
from probes.tap.seen import Seen, Tag, Tick
from tests.unit.tap.sessions import TRAP, Decoded, Script, decode, h11_exchange, h11_request, h11_session

GET = (TO_SERVER, b"GET / HTTP/1.1\r\nhost: lab\r\n\r\n")


def read(*script: tuple[object, bytes], end: bool = True) -> Decoded:
    steps: Script = [(TO_SERVER if way == TO_SERVER else TO_CLIENT, data) for way, data in script]
    return decode(http_conversation(), steps, end=end)


def answer(head: bytes, rest: bytes = b"") -> tuple[object, bytes]:
    return TO_CLIENT, b"HTTP/1.1 " + head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + rest


def test_heads_say_what_they_are() -> None:
    decoded = decode(http_conversation(), h11_session())
    requests = [seen for seen in decoded.seen[TO_SERVER] if seen.name == "request"]
    assert [seen.detail.split()[0] for seen in requests] == ["GET", "HEAD", "POST", "GET", "PUT", "GET"]
    assert {seen.tag for seen in requests} == {Tag(7, "http/1.1")}
    codes = [seen.code for seen in decoded.seen[TO_CLIENT] if seen.name == "response"]
    assert codes == ["200", "200", "100", "201", "304", "204", "200"]


def test_each_exchange_closes_once_when_both_sides_have_ended() -> None:
    decoded = decode(http_conversation(), h11_session())
    assert [seen.closes for seen in decoded.seen[TO_CLIENT] if seen.name == "end"] == [True] * 6
    assert [seen.closes for seen in decoded.seen[TO_SERVER] if seen.name == "end"] == [False] * 6


def test_a_request_that_ends_after_its_answer_closes_the_exchange() -> None:
    early = [
        (TO_SERVER, b"POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nab"),
        answer(b"413 Too Large\ncontent-length: 0"),
        (TO_SERVER, b"cd"),
    ]
    decoded = read(*early)
    assert decoded.seen[TO_CLIENT][-1] == Seen("http/1.1", "end", closes=False)
    assert decoded.seen[TO_SERVER][-1] == Seen("http/1.1", "end", closes=True)


def test_chunks_are_messages_and_only_their_payload_is_body() -> None:
    response = h11.Response(status_code=200, headers=[("transfer-encoding", "chunked")])
    script = h11_exchange(h11_request("GET"), [], [response], [TRAP, b"x"])
    total = decode(http_conversation(), script).total(TO_CLIENT)
    assert (total.body, total.messages) == (len(TRAP) + 1, 2)
    assert total.size > total.body


def test_a_body_of_known_length_has_no_messages() -> None:
    decoded = read(GET, answer(b"200 OK\ncontent-length: 5", b"hello"))
    assert decoded.total(TO_CLIENT) == Tick(0, 5, 5, 0)


@pytest.mark.parametrize(
    "head", [b"200 OK\nconnection: close", b"200 OK\ntransfer-encoding: chunked, gzip", b"200", b"404 "]
)
def test_a_body_without_length_ends_with_the_connection(head: bytes) -> None:
    script = GET, answer(head, TRAP)
    assert read(*script, end=False).names(TO_CLIENT) == ["response"]
    decoded = read(*script)
    assert decoded.names(TO_CLIENT) == ["response", "end"]
    assert decoded.total(TO_CLIENT).body == len(TRAP)


def test_a_body_cut_by_the_end_of_file_is_incomplete_and_not_lost() -> None:
    decoded = read(GET, answer(b"200 OK\ncontent-length: 500", b"hello"))
    assert decoded.names(TO_CLIENT) == ["response", "incomplete"]
    assert decoded.seen[TO_CLIENT][-1].detail == "end of file inside a body (500 bytes)"
    assert decoded.lost[TO_CLIENT] == []


def test_the_transfer_coding_outranks_the_length() -> None:
    decoded = read(GET, answer(b"200 OK\ncontent-length: 5\ntransfer-encoding: chunked", b"1\r\nx\r\n0\r\n\r\n"))
    assert decoded.seen[TO_CLIENT][-1].closes
    assert decoded.total(TO_CLIENT).messages == 1


def test_pipelined_requests_are_answered_in_their_order() -> None:
    head = (TO_SERVER, b"HEAD / HTTP/1.1\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    length = b"200 OK\ncontent-length: 3"
    decoded = read(head, answer(length), answer(length, b"abc"))
    assert decoded.names(TO_CLIENT) == ["response", "end"] * 2
    assert decoded.lost[TO_SERVER] == decoded.lost[TO_CLIENT] == []


def test_an_answer_that_nobody_asked_for() -> None:
    decoded = read(answer(b"408 Request Timeout\ncontent-length: 0"))
    assert decoded.seen[TO_CLIENT][0].code == "408"


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nno field\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1, 2\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxyz",
        b"GET / HTTP/1.1\r\nx: " + b"v" * HEAD_LIMIT + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n" * (PIPELINE_LIMIT + 1),
    ],
)
def test_what_cannot_be_followed_is_lost_once_and_still_counted(request_head: bytes) -> None:
    decoded = read((TO_SERVER, request_head), (TO_SERVER, b"more"))
    assert len(decoded.lost[TO_SERVER]) == 1
    assert decoded.said[TO_SERVER] == len(request_head) + 4


def test_answers_to_requests_that_were_not_followed_are_not_guessed() -> None:
    decoded = read((TO_SERVER, b"HEAD /\r\n\r\n"), answer(b"200 OK\ncontent-length: 3"))
    assert [lost.reason for lost in decoded.lost[TO_CLIENT]] == ["a response to a request that was not followed"]


def test_an_upgrade_to_the_unknown_loses_both_directions() -> None:
    decoded = read(GET, answer(b"101 Switching\nupgrade: websocket", b"\x81\x00"), (TO_SERVER, b"\x81\x00"))
    for way in (TO_SERVER, TO_CLIENT):
        assert [lost.reason for lost in decoded.lost[way]] == ["upgraded to websocket, which is not followed"]


def test_an_upgrade_to_h2c_goes_on_in_http2() -> None:
    frames = b"\0\0\0\x04\0\0\0\0\0" + b"\0\0\x04\0\x01\0\0\0\x01body"
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
    decoded = read(GET, answer(b"101 Switching\nupgrade: h2c", frames), (TO_SERVER, preface))
    assert decoded.seen[TO_CLIENT][-1] == Seen("http/2", "END_STREAM", stream=1, closes=True)
    assert decoded.names(TO_SERVER)[-2:] == ["PRI", "SETTINGS"]


def test_no_password_of_an_authority_is_shown() -> None:
    decoded = read((TO_SERVER, b"GET http://me:hunter2@lab/x HTTP/1.1\r\nauthorization: Basic aHVudGVyMg==\r\n\r\n"))
    assert decoded.seen[TO_SERVER][0].detail == "GET http://***@lab/x"
    assert "hunter2" not in repr(decoded.items)
    assert "aHVudGVyMg" not in repr(decoded.items)
