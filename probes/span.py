"""Spans: work that has one start, exactly one end, and a cleanup after it."""

from __future__ import annotations

from itertools import count

from probes.clock import Stamp
from probes.events import CleanedUp, Layer, SpanCancelled, SpanCompleted, SpanFailed, SpanStarted
from probes.sink import Sink

_ids = count(1)


class SpanError(RuntimeError):
    """A span was ended twice: a defect of ours, never of what is observed."""


class Span:
    """Emits its own life. ``at`` is a stamp taken earlier; ``evidence`` a few words that prove the step."""

    def __init__(
        self, sink: Sink, *, run: int, lane: str, layer: Layer, name: str, evidence: str = "", at: Stamp | None = None
    ) -> None:
        self._sink, self._run, self._lane, self._layer, self.name = sink, run, lane, layer, name
        self.id = next(_ids)
        self.ended = False
        self.cleaned = False
        sink.emit(SpanStarted, at=at, run=run, lane=lane, layer=layer, span=self.id, name=name, evidence=evidence)

    def completed(self, evidence: str = "", *, at: Stamp | None = None) -> None:
        self._end()
        self._sink.emit(SpanCompleted, at=at, evidence=evidence, **self._head())

    def failed(self, error: BaseException | str, evidence: str = "", *, at: Stamp | None = None) -> None:
        self._end()
        self._sink.emit(SpanFailed, at=at, error=_name(error), evidence=evidence, **self._head())

    def cancelled(self, error: BaseException | str, evidence: str = "", *, at: Stamp | None = None) -> None:
        self._end()
        self._sink.emit(SpanCancelled, at=at, error=_name(error), evidence=evidence, **self._head())

    def cleaned_up(self, evidence: str = "", *, at: Stamp | None = None) -> None:
        """Raises SpanError when called twice."""
        if self.cleaned:
            raise SpanError(f"span {self.name} was cleaned up twice")
        self.cleaned = True
        self._sink.emit(CleanedUp, at=at, evidence=evidence, **self._head())

    def _end(self) -> None:
        if self.ended:
            raise SpanError(f"span {self.name} was ended twice")
        self.ended = True

    def _head(self) -> dict[str, object]:
        return {"run": self._run, "lane": self._lane, "layer": self._layer, "span": self.id, "name": self.name}


def _name(error: BaseException | str) -> str:
    return error if isinstance(error, str) else type(error).__name__
