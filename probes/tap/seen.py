"""What a decoder says about the bytes that passed: values only, and the shape of a decoder.

A ``Conversation`` is one TCP connection as a bystander reads it. It has no socket, no clock and no loop: the
proxy stamps and forwards first, then feeds the same bytes here, in the order in which they came. How the
bytes were cut into pieces changes nothing but how the ``Tick``s are split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from probes.events import Direction


@dataclass(frozen=True, slots=True)
class Tag:
    """The run and the lane that a request named itself, read from the wire (``probes.schema``)."""

    run: int
    lane: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One frame, message or head, at the moment at which its last byte that matters has passed.

    ``proto``: ``http/1.1``, ``http/2``, ``postgres`` or ``tls``. ``name``: the RFC's or the PostgreSQL
    manual's (``RST_STREAM``, ``CancelRequest``); for HTTP/1.1 ``request``, ``response`` and ``end``. The flag
    that ends an HTTP/2 stream in one direction is an item of its own, ``END_STREAM``, after the frame that
    carries it. What end of file cut in two is ``incomplete`` (RFC 9112 section 8). ``code``: ``CANCEL(8)``,
    an HTTP status, a grpc-status, a SQLSTATE, or ReadyForQuery's ``idle`` / ``in transaction`` / ``failed
    transaction``. ``detail``: a few words for people, at most 120 characters, control characters escaped.
    ``size``: bytes of the whole frame, head or message; 0 where it only marks an end, so that the sizes of
    all items add up to the bytes that were fed.

    ``tag``: on the item that names its run itself: a request's head, Query, Parse, and Bind and Execute of
    what a tagged Parse prepared. ``closes``: with this the stream became closed in both directions (RFC 9113
    section 5.1; said once a stream); for HTTP/1.1 the exchange is over, for PostgreSQL ReadyForQuery closes
    the statement. ``backend``: the pid in BackendKeyData and CancelRequest; the secret beside it is never kept.
    """

    proto: str
    name: str
    code: str = ""
    detail: str = ""
    stream: int = 0
    size: int = 0
    tag: Tag | None = None
    closes: bool = False
    backend: int = 0


@dataclass(frozen=True, slots=True)
class Tick:
    """Payload progress of one stream within one ``feed``: ``size`` bytes passed, of which ``body`` are
    payload, and ``messages`` whole messages ended."""

    stream: int
    size: int
    body: int
    messages: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The decoder cannot follow this direction any more; said once, then only raw ``Tick``s follow."""

    proto: str
    reason: str


Item = Seen | Tick | Lost


class Conversation(Protocol):
    """Both directions of one connection. Never raises, whatever the bytes are, and holds a bounded amount."""

    @property
    def proto(self) -> str:
        """What is being spoken; empty until the first bytes have told."""
        ...

    def feed(self, direction: Direction, data: bytes) -> list[Item]:
        """What these bytes complete, in order; a stream's ``Tick``s are merged up to its next ``Seen``."""
        ...

    def end(self, direction: Direction) -> list[Item]:
        """End of file in this direction: the end of a body that lasts until then, or something ``incomplete``."""
        ...
