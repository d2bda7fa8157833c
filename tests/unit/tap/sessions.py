"""Real byte streams for the decoders' tests, and what makes two decodings of them comparable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path

import h2.config
import h2.connection
import h2.settings
import h11

from probes.events import TO_CLIENT, TO_SERVER, Direction
from probes.schema import LANE_HEADER, RUN_HEADER
from probes.tap.decode import http_conversation, postgres_conversation
from probes.tap.seen import Conversation, Item, Lost, Seen, Tick

Script = list[tuple[Direction, bytes]]
"""What passes on a connection, in order."""

Cut = Callable[[bytes], Iterable[bytes]]
DIRECTIONS: tuple[Direction, ...] = (TO_SERVER, TO_CLIENT)


class Decoded:
    """All items of a script, by direction; each direction's ticks are summed up to its stream's next Seen."""

    def __init__(self, items: dict[Direction, list[Item]]) -> None:
        self.items = items
        self.seen = {way: [item for item in items[way] if isinstance(item, Seen)] for way in DIRECTIONS}
        self.lost = {way: [item for item in items[way] if isinstance(item, Lost)] for way in DIRECTIONS}
        self.said = {way: sum(item.size for item in items[way] if not isinstance(item, Lost)) for way in DIRECTIONS}

    def names(self, way: Direction) -> list[str]:
        return [seen.name for seen in self.seen[way]]

    def total(self, way: Direction, stream: int = 0) -> Tick:
        """The sum of a stream's ticks."""
        ticks = [item for item in self.items[way] if isinstance(item, Tick) and item.stream == stream]
        return Tick(stream, *(sum(getattr(tick, part) for tick in ticks) for part in ("size", "body", "messages")))

    def merged(self) -> object:
        """Equal for two decodings of one script, however it was cut."""
        return {way: (self._edges(way), self._by_stream(way)) for way in DIRECTIONS}

    def _edges(self, way: Direction) -> list[Item]:
        return [item for item in self.items[way] if not isinstance(item, Tick)]

    def _by_stream(self, way: Direction) -> dict[int, list[Item]]:
        streams: dict[int, list[Item]] = {}
        for item in self.items[way]:
            line = streams.setdefault(getattr(item, "stream", 0), [])
            if isinstance(item, Tick) and line and isinstance(line[-1], Tick):
                last = line.pop()
                assert isinstance(last, Tick)
                item = Tick(  # noqa: PLW2901
                    item.stream, last.size + item.size, last.body + item.body, last.messages + item.messages
                )
            line.append(item)
        return streams


def by(size: int) -> Cut:
    """Cut into pieces of ``size`` bytes."""
    return lambda data: (data[start : start + size] for start in range(0, len(data), size))


def whole(data: bytes) -> Iterable[bytes]:
    return (data,)


def decode(conversation: Conversation, script: Script, cut: Cut = whole, *, end: bool = True) -> Decoded:
    items: dict[Direction, list[Item]] = {way: [] for way in DIRECTIONS}
    for way, data in script:
        for piece in cut(data):
            items[way] += conversation.feed(way, piece)
    for way in DIRECTIONS if end else ():
        items[way] += conversation.end(way)
    return Decoded(items)


def joined(script: Script) -> Script:
    """Neighbours of one direction as one piece."""
    return [(way, b"".join(data for _, data in group)) for way, group in groupby(script, key=lambda step: step[0])]


# --- captured -----------------------------------------------------------------------------------------------


def captured(name: str) -> Script:
    lines = Path(__file__).parent.joinpath("data", f"{name}.hex").read_text().splitlines()
    return joined([(TO_SERVER if line[0] == ">" else TO_CLIENT, bytes.fromhex(line[2:])) for line in lines])


# --- made with h11 ------------------------------------------------------------------------------------------

TAGGED = [(RUN_HEADER, "7"), (LANE_HEADER, "http/1.1")]
TRAP = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
"""A body that looks like heads and like the last chunk."""


def h11_exchange(
    request: h11.Request, body: list[bytes], answers: list[h11.InformationalResponse | h11.Response], data: list[bytes]
) -> Script:
    """One exchange between two real h11 connections, as bytes."""
    client, server = h11.Connection(h11.CLIENT), h11.Connection(h11.SERVER)
    sent = client.send(request) or b""
    server.receive_data(sent)
    server.next_event()
    for piece in body:
        sent += client.send(h11.Data(piece)) or b""
    trailers = [("x-sum", "1")] if (b"transfer-encoding", b"chunked") in request.headers else []
    sent += client.send(h11.EndOfMessage(headers=trailers)) or b""
    answered = b"".join(server.send(answer) or b"" for answer in answers)
    for piece in data:
        answered += server.send(h11.Data(piece)) or b""
    answered += server.send(h11.EndOfMessage()) or b""
    return [(TO_SERVER, sent), (TO_CLIENT, answered)]


def h11_request(method: str, *headers: tuple[str, str]) -> h11.Request:
    return h11.Request(method=method, target="/stream?n=3", headers=[("host", "lab"), *TAGGED, *headers])


def h11_session() -> Script:
    """Six exchanges on one connection."""
    chunked, length = ("transfer-encoding", "chunked"), ("content-length", str(len(TRAP)))
    interim = h11.InformationalResponse(status_code=100, headers=[])
    return [
        *h11_exchange(h11_request("GET"), [], [h11.Response(status_code=200, headers=[chunked])], [TRAP, b"x", TRAP]),
        *h11_exchange(h11_request("HEAD"), [], [h11.Response(status_code=200, headers=[length])], []),
        *h11_exchange(
            h11_request("POST", chunked, ("expect", "100-continue")),
            [TRAP, TRAP],
            [interim, h11.Response(status_code=201, headers=[length])],
            [TRAP],
        ),
        *h11_exchange(h11_request("GET"), [], [h11.Response(status_code=304, headers=[length])], []),
        *h11_exchange(h11_request("PUT", length), [TRAP], [h11.Response(status_code=204, headers=[])], []),
        *h11_exchange(h11_request("GET"), [], [h11.Response(status_code=200, headers=[("content-length", "0")])], []),
    ]


# --- made with h2 -------------------------------------------------------------------------------------------


class H2Pair:
    """Two real h2 connections; ``script`` is what they sent each other."""

    def __init__(self) -> None:
        def made(client: bool) -> h2.connection.H2Connection:
            return h2.connection.H2Connection(
                h2.config.H2Configuration(client_side=client, header_encoding="utf-8", validate_inbound_headers=False)
            )

        self.client, self.server = made(True), made(False)
        self.script: Script = []
        self.client.initiate_connection()
        self.server.initiate_connection()
        self.settle()

    def settle(self) -> None:
        """Let everything that is waiting pass, and what it causes."""
        while self._pass(TO_SERVER, self.client, self.server) or self._pass(TO_CLIENT, self.server, self.client):
            pass

    def _pass(self, way: Direction, one: h2.connection.H2Connection, other: h2.connection.H2Connection) -> bool:
        data = one.data_to_send()
        if data:
            self.script.append((way, data))
            other.receive_data(data)
        return bool(data)


def h2_request(path: str, *headers: tuple[str, str], lane: str = "http/2") -> list[tuple[str, str]]:
    start = [(":method", "GET"), (":path", path), (":scheme", "http"), (":authority", "lab")]
    return [*start, (RUN_HEADER, "7"), (LANE_HEADER, lane), *headers]


def grpc_message(size: int) -> bytes:
    return b"\0" + size.to_bytes(4, "big") + b"m" * size


def h2_session() -> Script:
    """CONTINUATION, padding, a changed table size, a push, gRPC messages over many frames, resets, GOAWAY."""
    pair = H2Pair()
    client, server = pair.client, pair.server
    client.send_headers(1, h2_request("/big", ("x-large", "v" * 40_000)), end_stream=True)
    pair.settle()
    server.push_stream(1, 2, h2_request("/pushed"))
    server.send_headers(1, [(":status", "200"), ("content-type", "text/plain")])
    server.send_data(1, b"padded", pad_length=100)
    server.send_data(1, b"", end_stream=True)
    pair.settle()
    for size, stream in ((0, 3), (65536, 7)):
        server.update_settings({h2.settings.SettingCodes.HEADER_TABLE_SIZE: size})
        client.send_headers(stream, h2_request("/under-way"), end_stream=True)
        pair.settle()
        client.send_headers(stream + 2, h2_request("/acknowledged"), end_stream=True)
        pair.settle()
    grpc_part(pair)
    client.ping(b"12345678")
    pair.settle()
    client.close_connection(error_code=0, additional_data=b"bye\x1b[31m")
    pair.settle()
    return pair.script


def grpc_part(pair: H2Pair) -> None:
    client, server = pair.client, pair.server
    client.send_headers(11, h2_request("/s/M", ("content-type", "application/grpc"), lane="grpc"))
    client.send_data(11, grpc_message(3), end_stream=True)
    pair.settle()
    server.send_headers(11, [(":status", "200"), ("content-type", "application/grpc+proto")])
    messages = b"".join(map(grpc_message, (0, 20_000, 1, 0, 7)))
    for start in range(0, len(messages), 3333):
        server.send_data(11, messages[start : start + 3333])
    server.send_headers(11, [("grpc-status", "5"), ("grpc-message", "not%20here")], end_stream=True)
    pair.settle()
    client.send_headers(13, h2_request("/never"), end_stream=True)
    pair.settle()
    server.send_headers(13, [(":status", "200")])
    server.send_data(13, b"one")
    pair.settle()
    client.reset_stream(13, error_code=8)
    server.send_data(13, b"late")
    pair.settle()


# --- all of them --------------------------------------------------------------------------------------------


def ssl_agreed() -> Script:
    """SSLRequest, agreed to, and a TLS session after it."""
    return [captured("pg_no_ssl")[0], (TO_CLIENT, b"S"), *captured("tls13")]


def tunnel() -> Script:
    """A CONNECT that succeeds, and HTTP/2 behind it."""
    return [
        (TO_SERVER, b"CONNECT lab:443 HTTP/1.1\r\nhost: lab:443\r\n\r\n"),
        (TO_CLIENT, b"HTTP/1.1 200 OK\r\n\r\n"),
        *h2_session(),
    ]


HTTP: dict[str, Callable[[], Script]] = {
    "h11": h11_session,
    "h2": h2_session,
    "tunnel": tunnel,
    **{name: lambda name=name: captured(name) for name in ("grpc", "http1", "tls12", "tls13")},  # type: ignore[misc]
}
POSTGRES: dict[str, Callable[[], Script]] = {
    "ssl_agreed": ssl_agreed,
    **{
        name: lambda name=name: captured(name)  # type: ignore[misc]
        for name in ("pg_scram", "pg_cancel", "pg_clear_password", "pg_no_ssl", "pg_psql")
    },
}
SESSIONS = {**HTTP, **POSTGRES}


def conversation_for(name: str) -> Conversation:
    return http_conversation() if name in HTTP else postgres_conversation()


def scripts() -> Iterator[tuple[str, Script]]:
    for name, make in SESSIONS.items():
        yield name, make()
