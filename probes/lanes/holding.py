"""What a call holds, until the tap has seen its exchange end."""

from __future__ import annotations

import asyncio
from typing import Any

from probes.lanes.bench import Bench
from probes.lanes.rows import Rows
from probes.lanes.timers import Timers

_TRAVEL = 0.1
"""Seconds after the end of a call in which its request may still be on its way to the tap."""


class Holding:
    """That of one lane's call, which is over when ``over`` is set."""

    def __init__(self, bench: Bench, rows: Rows, timers: Timers, over: asyncio.Event, *, detaches: bool) -> None:
        """``detaches``: a link may send the request when its caller has left."""
        self._bench, self._rows, self._timers, self._over = bench, rows, timers, over
        self._detaches = detaches
        self._unsent = False
        """The call ended before its request was on the wire."""

    async def exchange_gone(self) -> str:
        """Wait for the end of the exchange, as the tap sees it. A call that ended before its request was sent had
        none, and so held nothing from the moment at which its library gave up."""
        closed = self._bench.ledger.exchange_end()
        over = self._bench.tasks.start(self._over.wait(), name="call over")
        try:
            either: set[asyncio.Future[Any]] = {closed, over}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
        await asyncio.wait({closed}, timeout=_TRAVEL)
        if not closed.done() and not self._bench.ledger.requested and not self._detaches:
            self._unsent = True
            return "no request on the wire"
        return await asyncio.shield(closed)

    def released(self, evidence: str) -> None:
        """The resource is given back, by this evidence."""
        resource = self._rows.resource
        if resource is not None and not resource.cleaned:
            resource.cleaned_up(evidence, at=self._timers.gave_up if self._unsent else None)

    @property
    def stream(self) -> bool:
        """Whether a stream was opened on the wire, and nothing has closed it."""
        return self._rows.holds and self._bench.ledger.requested
