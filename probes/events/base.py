"""The words that all events share, and the head that each of them has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Layer = Literal["", "caller", "client", "wire", "server", "resource"]
Direction = Literal["", "client>server", "server>client"]
StampQuality = Literal["kernel", "user", "poll"]
TO_SERVER: Direction = "client>server"
TO_CLIENT: Direction = "server>client"

LAYERS: tuple[Layer, ...] = ("caller", "client", "wire", "server", "resource")
"""The rows of a lane, top to bottom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The head that every event has.

    ``t``: when it happened; ``err``: how far ``t`` can be off (kernel stamp, loop lag, poll interval);
    ``src``: the process that stamped it; ``seq``: that process's own count from 1, so a gap is a loss;
    ``run`` is 0 and ``lane`` empty for what belongs to the session.
    """

    t: int
    err: int
    src: str
    seq: int
    run: int = 0
    lane: str = ""
    layer: Layer = ""
