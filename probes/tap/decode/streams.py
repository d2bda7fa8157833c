"""What is remembered of HTTP/2 streams: who has ended them, and where their gRPC messages stand.

At most ``OPEN_LIMIT`` open streams are remembered and ``CLOSED_LIMIT`` closed ones (frames that were under way
when a stream was reset are still counted). The oldest are forgotten first: their later DATA frames count as
one message each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct

OPEN_LIMIT = 4096
CLOSED_LIMIT = 256
_PREFIX = 5
_LENGTH = Struct(">I")
"""Of a message, behind a byte that says whether it is compressed (gRPC over HTTP/2, "Length-Prefixed-Message")."""

CLIENT, SERVER = 0, 1


class GrpcMessages:
    """Counts the length-prefixed messages of one direction of a stream, over any cut in DATA frames."""

    __slots__ = ("_left", "_prefix")

    def __init__(self) -> None:
        self._prefix = bytearray()
        self._left = 0

    def count(self, data: bytes | bytearray, start: int, stop: int) -> int:
        """How many messages end within ``data[start:stop]``."""
        ended = 0
        while start < stop:
            if self._left:
                step = min(self._left, stop - start)
                self._left -= step
            elif not self._prefix and stop - start >= _PREFIX:
                step = _PREFIX
                (self._left,) = _LENGTH.unpack_from(data, start + 1)
            else:
                step = min(_PREFIX - len(self._prefix), stop - start)
                self._prefix += data[start : start + step]
                if len(self._prefix) < _PREFIX:
                    break
                (self._left,) = _LENGTH.unpack_from(self._prefix, 1)
                self._prefix.clear()
            ended += not self._left
            start += step
        return ended


@dataclass(slots=True)
class Stream:
    """The lists have one entry for the client and one for the server."""

    headed: list[bool] = field(default_factory=lambda: [False, False])
    ended: list[bool] = field(default_factory=lambda: [False, False])
    messages: list[GrpcMessages | None] = field(default_factory=lambda: [None, None])


class Streams:
    def __init__(self) -> None:
        self._open: dict[int, Stream] = {}
        self._closed: dict[int, Stream] = {}

    def get(self, number: int) -> Stream:
        stream = self._open.get(number) or self._closed.get(number)
        if stream is None:
            stream = self._open[number] = Stream()
            _forget(self._open, OPEN_LIMIT)
        return stream

    def close(self, number: int) -> bool:
        """False when it was closed before."""
        if number in self._closed:
            return False
        self._closed[number] = self.get(number)
        self._open.pop(number, None)
        _forget(self._closed, CLOSED_LIMIT)
        return True


def _forget(streams: dict[int, Stream], most: int) -> None:
    if len(streams) > most:
        del streams[next(iter(streams))]
