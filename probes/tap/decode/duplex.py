"""Two directions that are read together, and may turn to another protocol together."""

from __future__ import annotations

from collections.abc import Callable

from probes.events import TO_CLIENT, TO_SERVER, Direction
from probes.tap.decode.input import Cut, Input, Malformed, Steps
from probes.tap.decode.items import Items
from probes.tap.decode.text import printable
from probes.tap.seen import Item, Lost, Seen

Decode = Callable[[Input, Items], Steps[None]]
"""Reads one direction until its end of file."""


class _Side:
    __slots__ = ("decode", "fed", "items", "lost", "source", "steps")

    def __init__(self, decode: Decode) -> None:
        self.source = Input()
        self.items = Items()
        self.fed = 0
        self.lost = False
        self.decode: Decode | None = decode
        self.steps: Steps[None] | None = None

    def run(self) -> None:
        """Go on until more bytes are needed. Raises Malformed."""
        while True:
            if self.decode is not None:
                self.steps, self.decode = self.decode(self.source, self.items), None
            assert self.steps is not None
            next(self.steps, None)
            if self.decode is None:
                return

    def give_up(self, proto: str, reason: str) -> None:
        self.lost, self.steps = True, None
        self.source.clear()
        self.items.lost(Lost(proto, printable(reason)))


class Duplex:
    """A ``Conversation`` that starts with these two decoders. No reason for a ``Lost`` quotes what was sent as text."""

    def __init__(self, proto: str, client: Decode, server: Decode) -> None:
        self._proto = proto
        self._sides = {TO_SERVER: _Side(client), TO_CLIENT: _Side(server)}

    @property
    def proto(self) -> str:
        return self._proto

    def become(self, proto: str, client: Decode, server: Decode) -> None:
        """Read on in another protocol, from the next byte that was not taken, in both directions.

        A decoder that calls this must return at once.
        """
        self._proto = proto
        self._sides[TO_SERVER].decode = client
        self._sides[TO_CLIENT].decode = server

    def give_up(self, reason: str) -> None:
        """No direction can be followed from here on. A decoder that calls this must return at once."""

        def opaque(_source: Input, _items: Items) -> Steps[None]:
            yield from ()
            raise Malformed(reason)

        self.become(self._proto, opaque, opaque)

    def is_lost(self, direction: Direction) -> bool:
        return self._sides[direction].lost

    def feed(self, direction: Direction, data: bytes) -> list[Item]:
        side = self._sides[direction]
        side.fed += len(data)
        if side.source.ended and not side.lost:
            side.give_up(self._proto, "bytes after the end of file")
        if not side.lost:
            side.source.push(data)
        return self._run(side)

    def end(self, direction: Direction) -> list[Item]:
        side = self._sides[direction]
        side.source.ended = True
        return self._run(side)

    def _run(self, side: _Side) -> list[Item]:
        if not side.lost:
            try:
                side.run()
            except Cut as error:
                rest = side.fed - side.items.said
                side.items.seen(Seen(self._proto, "incomplete", detail=str(error), size=rest))
            except Malformed as error:
                side.give_up(self._proto, str(error))
            except Exception as error:  # noqa: BLE001 - a defect of a bystander may not stop what it watches
                side.give_up(self._proto, f"defect of the decoder: {type(error).__name__}")
        if side.lost:
            side.items.tick(0, side.fed - side.items.said)
        return side.items.drain()
