"""The rows that the calling side writes: caller, client and resource, each a span with one start and one end."""

from __future__ import annotations

from probes.events import CALL, Layer
from probes.sink import Sink
from probes.span import Span


class Rows:
    """Those of one lane's call. ``resource``: what it holds, once it has taken it."""

    def __init__(self, sink: Sink, run: int, lane: str) -> None:
        self._sink, self._run, self._lane = sink, run, lane
        self._client: Span | None = None
        self.resource: Span | None = None

    def span(self, layer: Layer, name: str, evidence: str = "") -> Span:
        return Span(self._sink, run=self._run, lane=self._lane, layer=layer, name=name, evidence=evidence)

    def open_client(self, evidence: str = "") -> None:
        """The library's call begins: the client's row starts."""
        self._client = self.span("client", CALL, evidence)

    @property
    def client(self) -> Span:
        """The library's call; it begins now if it has not."""
        if self._client is None:
            self.open_client()
        assert self._client is not None
        return self._client

    def client_over(self) -> None:
        """The library's call is over, if there was one; who has not said how has completed it."""
        if self._client is not None:
            self._client.cleaned_up("finally ran")

    def open_resource(self, name: str, evidence: str = "") -> None:
        """The call takes its resource (stream, pool slot, connection)."""
        self.resource = self.span("resource", name, evidence)

    @property
    def holds(self) -> bool:
        """Whether the resource was taken and has not been given back."""
        return self.resource is not None and not self.resource.cleaned
