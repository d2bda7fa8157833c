"""Taps for outside clients: what a listening lab opens, and what it watches for them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from app import commands
from app.lab.disturb import carry_out, nobody
from probes.events import Listening
from probes.fold import GUESTS
from probes.lanes.backends import Backends
from probes.lanes.postgres import Login
from probes.sink import Sink
from probes.tap.decode import http_conversation, postgres_conversation
from probes.tap.gate import CANCEL_KINDS
from probes.tap.guests import Guest, GuestLedger, Guests
from probes.tap.proxy import Address, Tap
from probes.tasks import TaskKeeper


class GuestHouse:
    """One tap for each service. ``services``: their addresses by name; ``login``: how the observer gets in."""

    def __init__(self, sink: Sink, tasks: TaskKeeper, first_run: int) -> None:
        self._sink, self._tasks = sink, tasks
        self.guests = Guests(sink, first_run, self._joined)
        self._taps: dict[str, Tap] = {}
        self._ledgers: dict[str, GuestLedger] = {}
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

    def disturb(self, command: commands.Fault | commands.Clear) -> None:
        """Disturb the connections that a guest has now, or let them be."""
        tag = self.guests.tag(command.lane)
        for name, ledger in self._ledgers.items():
            if tag is not None and (conns := ledger.conns(tag.run, tag.lane)):
                ledger.victim = tag
                # A CancelRequest comes on a connection of its own: whoever sends the next one is meant.
                cancel = isinstance(command, commands.Fault) and command.fault.kind in CANCEL_KINDS
                carry_out(self._taps[name], command, self._sink, None if cancel else conns)
                return
        nobody(command, self._sink)

    async def close(self) -> None:
        self.guests.stop()
        for tap in self._taps.values():
            tap.close()
        if self._backends is not None:
            await self._backends.close()

    def _open(self, name: str, host: str, upstream: Address) -> Address:
        conversation = postgres_conversation if name == "postgres" else http_conversation
        ledger = GuestLedger(self._sink, name, conversation, self.guests, lambda conn: tap.upstream_sides.get(conn, ""))
        self._ledgers[name] = ledger
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
