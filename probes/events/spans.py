"""Work that begins and ends in caller, client, server and resource, and the chunks that it moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from probes.events.base import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanStarted(Event):
    """Work began. ``span`` is unique within ``src``; ``name`` says what (call, handler, pool slot, ...)."""

    kind: Literal["span.started"] = "span.started"
    span: int
    name: str
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanCompleted(Event):
    kind: Literal["span.completed"] = "span.completed"
    span: int
    name: str
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanFailed(Event):
    """It ended by an error that is no cancellation. ``error`` is the exception's type."""

    kind: Literal["span.failed"] = "span.failed"
    span: int
    name: str
    error: str
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanCancelled(Event):
    """It was told to stop: ``error`` is the exception's type, ``evidence`` where and by what."""

    kind: Literal["span.cancelled"] = "span.cancelled"
    span: int
    name: str
    error: str
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSwallowed(Event):
    """The span was told to stop and goes on: its ``n``-th cancel came out of the await that ``evidence`` names, and was
    not acted on."""

    kind: Literal["cancel.swallowed"] = "cancel.swallowed"
    span: int
    name: str
    error: str
    n: int = 1
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanedUp(Event):
    """The span holds nothing any more (its finally ran, its slot is back, ...)."""

    kind: Literal["span.cleaned"] = "span.cleaned"
    span: int
    name: str
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSeen(Event):
    """What was left of the caller's deadline where a hop began: as it arrived at a server, or as it was handed on to
    the next hop. None: there was none, or it was not handed on."""

    kind: Literal["budget"] = "budget"
    left_ns: int | None
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkSent(Event):
    """The server's write accepted ``n`` more chunks of ``size`` bytes in all; ``total`` chunks so far."""

    kind: Literal["chunk.sent"] = "chunk.sent"
    n: int
    size: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkReceived(Event):
    """The caller read ``n`` more chunks of ``size`` bytes in all; ``total`` chunks so far."""

    kind: Literal["chunk.received"] = "chunk.received"
    n: int
    size: int
    total: int


SpanEnded = SpanCompleted | SpanFailed | SpanCancelled
