"""The bytes of one direction, handed out in the pieces that a decoder asks for.

Decoders are generators that read like the protocol they follow: ``head = yield from source.take(9)`` waits,
over as many ``feed``s as it takes, for nine bytes. So no decoder knows how the bytes were cut.

Whoever asks names the most that may be waiting: that is the bound of the buffer, beside the one piece that
is being fed.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]

_BLANK_LINE = re.compile(rb"\n\r?\n")
_OVERLAP = 2
"""So many bytes before a search's end may already belong to a blank line that is not whole yet."""


class Malformed(Exception):
    """These bytes cannot be followed; the text says why."""


class Cut(Malformed):
    """End of file where the protocol has more to say."""


class Input:
    """A queue of bytes. ``data[position : position + available]`` is what has come and was not taken."""

    __slots__ = ("data", "ended", "position")

    def __init__(self) -> None:
        self.data: bytes | bytearray = b""
        self.position = 0
        self.ended = False

    @property
    def available(self) -> int:
        return len(self.data) - self.position

    def push(self, data: bytes) -> None:
        if not self.available:
            self.data = data
        elif isinstance(self.data, bytearray):
            del self.data[: self.position]
            self.data += data
        else:
            self.data = bytearray(self.data[self.position :])
            self.data += data
        self.position = 0

    def clear(self) -> None:
        self.data, self.position = b"", 0

    def skip(self, count: int) -> None:
        """Let ``count`` bytes go that are available."""
        self.position += count

    def ahead(self, most: int) -> bytes:
        """What is available, at most ``most`` bytes, without taking it."""
        return bytes(self.data[self.position : self.position + most])

    def wait(self) -> Steps[None]:
        """Until more bytes come. Raises Cut when none will."""
        if self.ended:
            raise Cut("end of file inside a message")
        yield

    def more(self) -> Steps[bool]:
        """At a boundary: True as soon as there is a byte, False when the file ended here."""
        while not self.available:
            if self.ended:
                return False
            yield
        return True

    def take(self, count: int) -> Steps[bytes]:
        """Exactly ``count`` bytes."""
        while self.available < count:
            yield from self.wait()
        return self._cut(count)

    def some(self, most: int) -> Steps[int]:
        """How many bytes are available, at least one and at most ``most``: for bodies, which are never kept."""
        while not self.available:
            yield from self.wait()
        return min(self.available, most)

    def kept(self, length: int, most: int) -> Steps[bytes]:
        """The first ``most`` of ``length`` bytes; the rest passes and is not kept."""
        head = yield from self.take(min(length, most))
        left = length - len(head)
        while left:
            count = yield from self.some(left)
            self.skip(count)
            left -= count
        return head

    def line(self, most: int) -> Steps[bytes]:
        """Up to and with the next newline. Raises Malformed when that is more than ``most`` bytes."""
        searched = 0
        while (found := self.data.find(b"\n", self.position + searched)) < 0:
            searched = self.available
            yield from self._wait_below(most)
        return self._cut_below(found + 1, most)

    def head(self, most: int) -> Steps[bytes]:
        """Up to and with the next blank line. Raises Malformed when that is more than ``most`` bytes."""
        searched = 0
        while (found := _BLANK_LINE.search(self.data, self.position + searched)) is None:
            searched = max(0, self.available - _OVERLAP)
            yield from self._wait_below(most)
        return self._cut_below(found.end(), most)

    def _wait_below(self, most: int) -> Steps[None]:
        if self.available > most:
            raise Malformed(f"a line or head of more than {most} bytes")
        yield from self.wait()

    def _cut_below(self, end: int, most: int) -> bytes:
        if end - self.position > most:
            raise Malformed(f"a line or head of more than {most} bytes")
        return self._cut(end - self.position)

    def _cut(self, count: int) -> bytes:
        start = self.position
        self.position += count
        return bytes(self.data[start : self.position])
