"""The HTTPS port: what ALPN chooses, how a client's end is told, strikes, and handshakes that come to nothing."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator

import h2.events as he
import httpx
import pytest

from probes.events import Listening
from tests.kit.servers_kit import LIMIT, H2Client, Raw, Servers, attribution

pytestmark = pytest.mark.asyncio(loop_scope="module")


def trusting(servers: Servers, *alpn: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=servers.ca)
    context.set_alpn_protocols(list(alpn))
    return context


class Tls:
    """A TLS client that ends as it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, servers: Servers, *alpn: str) -> AsyncIterator[Tls]:
        host, _, port = servers.https.rpartition(":")
        client = cls(*await asyncio.open_connection(host, int(port), ssl=trusting(servers, *alpn)))
        try:
            yield client
        finally:
            client.writer.transport.abort()

    @property
    def chosen(self) -> str | None:
        name: str | None = self.writer.get_extra_info("ssl_object").selected_alpn_protocol()
        return name

    async def get(self, target: str, run: int) -> None:
        own = "".join(f"{name}: {value}\r\n" for name, value in attribution(run).items())
        self.writer.write(f"GET {target} HTTP/1.1\r\nhost: x\r\n{own}\r\n".encode())
        await self.writer.drain()

    async def until(self, text: bytes) -> bytes:
        async with asyncio.timeout(LIMIT):
            return await self.reader.readuntil(text)

    async def rest(self) -> bytes:
        async with asyncio.timeout(LIMIT):
            return await self.reader.read()

    def end(self, how: str) -> None:
        if how == "close_notify":
            self.writer.close()
            return
        if how == "RST":
            sock = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@pytest.mark.parametrize("http2", [False, True])
async def test_httpx_speaks_it(servers: Servers, http2: bool) -> None:
    run = servers.new_run()
    transport = httpx.AsyncHTTPTransport(verify=trusting(servers), http1=not http2, http2=http2)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        url = f"https://{servers.https}/stream?chunks=3&size=9&interval=0"
        response = await client.get(url, headers=attribution(run))
        assert (response.http_version, response.content) == ("HTTP/2" if http2 else "HTTP/1.1", b"x" * 27)
        absolute = await client.request("GET", url, extensions={"target": f"https://{servers.https}/".encode()})
        assert absolute.text.startswith("here are GET /stream?")
    life = await servers.life(run)
    assert life.completed.evidence == "3 chunks, 27 bytes"
    assert re.fullmatch(r"GET /stream from 127\.0\.0\.1:\d+ over TLSv1\.3", life.started.evidence)
    assert await servers.handlers() == {"grpc": 0, "http/1.1": 0, "http/2": 0}


async def test_nobody_is_trusted_who_does_not_show_its_certificate(servers: Servers) -> None:
    transport = httpx.AsyncHTTPTransport(verify=ssl.create_default_context())
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(f"https://{servers.https}/")


async def test_only_a_certificate_is_handed_out(servers: Servers) -> None:
    listening = servers.of(Listening)[0]
    assert re.fullmatch(r"-----BEGIN CERTIFICATE-----\n[\w+/=\n]+-----END CERTIFICATE-----\n", listening.ca)
    assert "PRIVATE" not in str(servers.events)


@pytest.mark.parametrize(
    ("offered", "chosen"), [(("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), (("spdy/3",), None), ((), None)]
)
async def test_the_protocol_is_the_one_that_was_chosen(
    servers: Servers, offered: tuple[str, ...], chosen: str | None
) -> None:
    async with Tls.connect(servers, *offered) as client:
        assert client.chosen == chosen
        if chosen == "h2":
            # The server's preface does not wait for the client's (RFC 9113, 3.4).
            assert (await client.reader.readexactly(9))[3] == 4
        else:
            await client.get("/", servers.new_run())
            assert await client.until(b"\r\n\r\n")


async def test_http2_needs_no_alpn(servers: Servers) -> None:
    async with Tls.connect(servers) as client:
        client.writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"))
        assert (await client.reader.readexactly(9))[3] == 4


@pytest.mark.parametrize("how", ["close_notify", "FIN", "RST"])
async def test_every_way_to_go(servers: Servers, how: str) -> None:
    run = servers.new_run()
    async with Tls.connect(servers, "http/1.1") as client:
        await client.get("/stream?interval=60", run)
        await client.until(b"x" * 1024)
        client.end(how)
        life = await servers.life(run)
    told = "FIN without close_notify" if how == "FIN" else how
    assert life.cancelled.evidence == f"at sleep after #1, told by {told}"


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_a_server_that_closes_or_resets(servers: Servers, how: str) -> None:
    run = servers.new_run()
    async with Tls.connect(servers, "http/1.1") as client:
        await client.get("/stream?interval=60", run)
        await client.until(b"x" * 1024)
        signal = await servers.struck(run, how)
        if how == "fin":
            assert await client.rest() == b"\r\n"
        else:
            with pytest.raises(ConnectionResetError):
                await client.rest()
        life = await servers.life(run)
    assert life.cancelled.evidence == f"at sleep after #1, told by the server's own {how.upper()}"
    assert (signal.cause, signal.how) == (f"server {how.upper()}", f"transport.{'close' if how == 'fin' else 'abort'}")


@pytest.mark.parametrize("data", [b"", b"\x16", b"\x16\x03\x01\x00", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"])
@pytest.mark.parametrize("end", ["fin", "rst"])
async def test_a_handshake_that_comes_to_nothing_is_no_trouble(servers: Servers, data: bytes, end: str) -> None:
    async with await Raw.connect(servers.https) as raw:
        if data:
            await raw.send(data)
        if end == "rst":
            raw.rst()
        else:
            raw.fin()
            with contextlib.suppress(ConnectionResetError):
                await raw.rest()
    # Nothing is noted, which the end of this module checks, and the next client is served.
    async with Tls.connect(servers, "http/1.1") as client:
        await client.get("/", servers.new_run())
        await client.until(b"\r\n\r\n")


async def test_a_client_that_refuses_the_certificate_is_no_trouble(servers: Servers) -> None:
    host, _, port = servers.https.rpartition(":")
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection(host, int(port), ssl=ssl.create_default_context())
    await servers.handlers()


async def test_the_plain_port_is_still_plain(servers: Servers) -> None:
    async with H2Client.connect(servers.http) as client:
        stream = await client.request("/", servers.new_run())
        await client.until(he.StreamEnded, stream)
