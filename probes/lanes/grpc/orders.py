"""What a lane says to its client in a process of its own: two lines."""

from __future__ import annotations

import msgspec

from probes.events import LanePlan
from probes.tap.proxy import Address

CLIENT = "client"
"""What such a child is called in events."""


class Order(msgspec.Struct):
    """The first line: which call is to be made, and to where."""

    run: int
    plan: LanePlan
    address: Address


GO = b"go"
"""The second line: make it."""


def name_of(run: int, lane: str) -> str:
    """What the client of a run is called as the source of its events."""
    return f"{CLIENT} {run} {lane}"
