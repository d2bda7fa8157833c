"""Below httpcore: its own network backend, with a note of when each wait began and names of the lab's own.

httpcore starts a timeout anew for each connect, TLS handshake, read and write, and tells of none of them but the
first: without these notes nobody could say when a timer of it was due. Nothing here suspends by itself, so that a
cancel finds the same turns of the loop as without it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import select
import socket
import ssl
from collections.abc import Iterable
from typing import Any

from probes.clock import Clock, Stamp
from probes.lanes.http.library import Library
from probes.lanes.http.names import Resolver


class Network:
    """A backend for ``httpcore.AsyncConnectionPool``.

    ``hosts``: names that need no lookup. ``resolver`` looks the others up; without one they are refused.
    """

    def __init__(self, library: Library, clock: Clock, hosts: dict[str, str], resolver: Resolver | None) -> None:
        self._httpcore, self._clock = library.httpcore, clock
        self._hosts, self._resolver = hosts, resolver
        self._inner = library.httpcore.AnyIOBackend()
        self.since: dict[str, Stamp] = {}
        """When the last wait began that the timeout of this name covers."""
        self.streams: list[Stream] = []
        """All that were opened, in order."""

    def begin(self, timeout: str) -> None:
        """A wait that ``timeout`` covers begins."""
        self.since[timeout] = self._clock.now()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Stream:
        """Raises httpcore's ConnectError and ConnectTimeout."""
        self.begin("connect")
        host = self._hosts.get(host, host)
        if _is_address(host):
            inner = await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        else:
            inner = await self._by_name(host, port, timeout, local_address, socket_options)
        self.streams.append(Stream(self, inner))
        return self.streams[-1]

    async def _by_name(self, host: str, port: int, timeout: float | None, *more: Any) -> Any:
        """One budget for lookup and connect, as in httpcore's own backend."""
        try:
            async with asyncio.timeout(timeout):
                return await self._inner.connect_tcp(await self._resolve(host), port, None, *more)
        except TimeoutError as error:
            raise self._httpcore.ConnectTimeout(str(error)) from error
        except socket.gaierror as error:
            raise self._httpcore.ConnectError(str(error)) from error

    async def _resolve(self, host: str) -> str:
        if self._resolver is None:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is no name of the lab's")
        return await self._resolver.resolve(host)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Stream:
    """A connection. ``inner`` is httpcore's own stream."""

    def __init__(self, network: Network, inner: Any) -> None:
        self._network, self.inner = network, inner
        self.closed = False
        """The library has closed it."""
        self._fd, self._inode = _identity(inner)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._network.begin("read")
        data: bytes = await self.inner.read(max_bytes, timeout)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._network.begin("write")
        await self.inner.write(buffer, timeout)

    async def aclose(self) -> None:
        self.closed = True
        await self.inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        # A full budget of its own: httpx's connect timeout counts twice for TLS.
        self._network.begin("connect")
        self.inner = await self.inner.start_tls(ssl_context, server_hostname, timeout)
        return self

    def get_extra_info(self, info: str) -> Any:
        return self.inner.get_extra_info(info)

    def is_open(self) -> bool:
        """Whether the process still has its socket, whatever the library says."""
        try:
            return os.fstat(self._fd).st_ino == self._inode
        except OSError:
            return False

    def writable(self) -> bool:
        """Whether the kernel would take a byte now."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return not self.is_open() or bool(poll.poll(0))


def _identity(inner: Any) -> tuple[int, int]:
    """Descriptor and inode of a stream's socket: the number alone may soon be somebody else's."""
    fd: int = inner.get_extra_info("socket").fileno()
    return fd, os.fstat(fd).st_ino


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
