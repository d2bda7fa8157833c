"""What a lane of a run is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from probes.events.base import Direction

CALL = "call"
"""The name of the spans that make up a lane's rows; other spans are phases inside them."""

CALLED_BY = "called_by"
"""The option that makes a lane a hop: the name of the lane whose handler makes its call."""

GUEST = "guest"
"""The phase of a lane whose client is none of the lab's: it is wherever its client has brought it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """What the tap is asked to do to a lane's connections (``probes.tap.faults`` has the kinds). ``at``: from the
    lane's ``start``, its ``phase`` or the ``trigger`` on; ``seconds``: how long it stands, None until it is cleared
    (of ``delay-cancel``: how long each CancelRequest is held); ``rate``: bytes a second of a slow reader; ``how``:
    ``FIN`` or ``RST`` of a cut. An empty direction is both."""

    kind: str
    direction: Direction = ""
    at: str = "start"
    seconds: float | None = None
    rate: int = 0
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePlan:
    """What one lane of a run is asked to do. Times are seconds; ``None`` switches a timeout off.

    ``cause``: what the trigger does to it (``probes.catalogue``), or the timer that is its own trigger. ``after``:
    chunks read before it counts as in its phase. ``middleware``: links between caller and client, outermost first.
    ``options``: what only some protocols have, by name.
    """

    lane: str
    protocol: str
    phase: str
    cause: str = "task.cancel"
    behaviour: str = "cooperative"
    shape: str = ""
    tls: bool = False
    after: int = 1
    delay: float = 0.0
    chunks: int = 1000
    size: int = 1024
    interval: float = 0.02
    timeouts: dict[str, float | None] = field(default_factory=dict)
    middleware: tuple[str, ...] = ()
    faults: tuple[FaultPlan, ...] = ()
    options: dict[str, str | int | float | bool] = field(default_factory=dict)
