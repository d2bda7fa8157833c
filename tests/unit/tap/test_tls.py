"""TLS records, made by OpenSSL."""

from __future__ import annotations

import ssl

import pytest

from probes.events import TO_CLIENT, TO_SERVER
from probes.tap.decode import http_conversation
from probes.tap.seen import Seen, Tick
from tests.unit.tap.sessions import captured, decode


@pytest.mark.parametrize("name", ["tls12", "tls13"])
def test_the_hellos_are_named_and_the_rest_is_measured(name: str) -> None:
    conversation = http_conversation()
    decoded = decode(conversation, captured(name))
    assert conversation.proto == "tls"
    assert decoded.names(TO_SERVER)[0] == "ClientHello"
    assert decoded.names(TO_CLIENT)[0] == "ServerHello"
    assert decoded.total(TO_SERVER).messages >= 1


def test_records_after_the_change_of_cipher_are_not_read() -> None:
    decoded = decode(http_conversation(), captured("tls12"))
    names = decoded.names(TO_SERVER)
    assert names == ["ClientHello", "handshake", "change_cipher_spec", "handshake", "alert"]
    assert decoded.seen[TO_SERVER][-1].code == ""
    assert decoded.total(TO_CLIENT) == Tick(0, 34, 29, 1)


def test_an_alert_in_clear_says_why() -> None:
    """A server without a certificate refuses the handshake."""
    hello, answer = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="lab")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    first = hello.read()
    received = ssl.MemoryBIO()
    received.write(first)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).wrap_bio(received, answer, server_side=True)
    with pytest.raises(ssl.SSLError):
        server.do_handshake()
    decoded = decode(http_conversation(), [(TO_SERVER, first), (TO_CLIENT, answer.read())])
    assert decoded.names(TO_SERVER) == ["ClientHello"]
    assert decoded.seen[TO_CLIENT] == [Seen("tls", "alert", "handshake_failure(40)", size=7)]


@pytest.mark.parametrize(
    "record", [b"\x16\x03\x01\xff\xff", b"\x16\x02\x01\0\x01", b"\x16\x03\x01\0\x01\x01\x63\x03\x01\0\x01"]
)
def test_no_record_is_lost_once(record: bytes) -> None:
    decoded = decode(http_conversation(), [(TO_SERVER, record + b"more")])
    assert len(decoded.lost[TO_SERVER]) == 1
    assert decoded.said[TO_SERVER] == len(record) + 4


def test_neither_http_nor_tls() -> None:
    decoded = decode(http_conversation(), [(TO_SERVER, b"\0\0\0\0"), (TO_CLIENT, b"SSH-2.0-x\r\n")])
    assert [lost.reason for way in (TO_SERVER, TO_CLIENT) for lost in decoded.lost[way]] == ["neither HTTP nor TLS"] * 2
