"""Taps for outside clients: what a listening lab opens, and what it watches for them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from probes.events import Listening
from probes.fold import GUESTS
from probes.lanes.backends import Backends
from probes.lanes.postgres import Login
from probes.sink import Sink
from probes.tap.decode import http_conversation, postgres_conversation
from probes.tap.guests import Guest, GuestLedger, Guests
from probes.tap.proxy import Address, Tap
from probes.tasks import TaskKeeper


class GuestHouse:
    """One tap for each service. ``services``: their addresses by name; ``login``: how the observer gets in."""

    def __init__(self, sink: Sink, tasks: TaskKeeper, first_run: int) -> None:
        self._sink, self._tasks = sink, tasks
        self.guests = Guests(sink, first_run, self._joined)
        self._taps: dict[str, Tap] = {}
        self._backends: Backends | None = None

    async def open(self, host: str, services: Mapping[str, Address], login: Login, *, embedded: bool) -> None:
        """Open a tap for each service and say where. Raises OSError, and what asyncpg raises."""
        self._backends = Backends(self._sink, login)
        await self._backends.open(make_role=embedded)
        addresses = {name: "{}:{}".format(*self._open(name, host, where)) for name, where in services.items()}
        self._sink.emit(Listening, part=GUESTS, addresses=addresses)

    def lead(self, services: Mapping[str, Address]) -> None:
        """The services are somewhere else now."""
        for name, where in services.items():
            if name in self._taps:
                self._taps[name].upstream = where

    async def close(self) -> None:
        self.guests.stop()
        for tap in self._taps.values():
            tap.close()
        if self._backends is not None:
            await self._backends.close()

    def _open(self, name: str, host: str, upstream: Address) -> Address:
        conversation = postgres_conversation if name == "postgres" else http_conversation
        ledger = GuestLedger(self._sink, name, conversation, self.guests, lambda conn: tap.upstream_sides.get(conn, ""))
        tap = self._taps[name] = Tap(ledger.witness, upstream, self._sink.clock, ledger)
        return tap.start(host)

    def _joined(self, guest: Guest, pid: int) -> None:
        if pid and self._backends is not None:
            guest.busy = True
            self._tasks.start(self._watch(guest, pid), name=f"observe {guest.tag.lane}")

    async def _watch(self, guest: Guest, pid: int) -> None:
        assert self._backends is not None
        try:
            await self._backends.watch(guest.tag, pid, lambda: guest.closed)
        finally:
            guest.busy = False
            asyncio.get_running_loop().call_soon(self.guests.check)
