"""A PostgreSQL server of the user's own, named by a DSN."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import asyncpg

from probes.events import Progress
from probes.sink import Sink
from servers.pg_address import PgAddress, PgError, parse_dsn

OLDEST = 14
"""The oldest major version that gets fixes, and the first with client_connection_check_interval."""


class ExternalPostgres:
    """The same ``start`` and ``stop`` as the embedded server's. The constructor raises PgError for a bad DSN."""

    def __init__(self, dsn: str, sink: Sink) -> None:
        self._address = parse_dsn(dsn)
        self._sink = sink

    async def start(self, timeout: float = 10.0) -> PgAddress:
        """Connect once, within ``timeout`` seconds, and read the version. Raises PgError."""
        self._progress("starting", f"connecting to {self._address.shown()}")
        try:
            address = await _probe(self._address, timeout)
        except PgError as error:
            self._progress("failed", str(error))
            raise
        self._progress("ready", f"{address.version} at {address.shown()}")
        return address

    async def stop(self) -> None:
        """Nothing of the server is ours to stop."""
        self._progress("stopped", f"left running: {self._address.shown()}")

    def _progress(self, state: str, detail: str) -> None:
        self._sink.emit(Progress, part="postgresql", state=state, detail=detail)


async def _probe(address: PgAddress, timeout: float) -> PgAddress:
    try:
        async with asyncio.timeout(timeout):
            # Plain, as the lane that passes the tap will be.
            connection = await asyncpg.connect(
                host=address.host,
                port=address.port,
                user=address.user,
                password=address.password,
                database=address.database,
                ssl="disable",
            )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise PgError(_explain(error, address, timeout)) from None
    try:
        major = connection.get_server_version().major
        # "18.4", after which a distributor may add words of its own.
        version = connection.get_settings().server_version.split()[0]
    finally:
        connection.terminate()
    if major < OLDEST:
        raise PgError(f"{address.shown()} is PostgreSQL {version}: version {OLDEST} or newer is needed")
    return replace(address, version=version)


def _explain(error: Exception, address: PgAddress, timeout: float) -> str:
    place = f"{address.host}:{address.port}"
    match error:
        case TimeoutError():
            return f"PostgreSQL at {place} did not answer within {timeout:g} s: check host, port and firewall"
        case ConnectionRefusedError():
            return f"nothing listens at {place}: start PostgreSQL there, or leave --pg out to use the embedded one"
        case socket.gaierror():
            return f"the host name {address.host!r} cannot be resolved: check the DSN"
        case asyncpg.InvalidPasswordError():
            return f"PostgreSQL at {place} refused the password of {address.user!r}: correct the DSN or PGPASSWORD"
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"PostgreSQL at {place} does not let {address.user!r} in without TLS: {_line(error)}"
        case asyncpg.InvalidCatalogNameError():
            return f"PostgreSQL at {place} has no database {address.database!r}: create it or correct the DSN"
        case asyncpg.PostgresError() if not isinstance(error, asyncpg.PostgresConnectionError):
            return f"PostgreSQL at {place} refused the connection: {_line(error)}"
    return f"{place} does not answer as PostgreSQL does ({_line(error)}): check host and port"


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
