"""Bytes over time, in a bounded number of bursts.

Events come in the order of time, so only the last burst can grow. What is nearer to its first byte than the grain
joins it. Before the trigger the grain is a fixed time, behind it also a share of the time since then: the microseconds
after the trigger are told apart, and so are the seconds later on, each as finely as its own place on a logarithmic
axis. Where the bursts have no room any more the grain doubles, and neighbours become one.
"""

from __future__ import annotations

from probes.state import PACKED, Flow

ROOM = 192
"""Bursts of a flow, at most."""
_FULL, _KEPT = ROOM * PACKED.size, ROOM * PACKED.size * 3 // 4
_pack = PACKED.pack
_GRAIN_NS = 10_000
_FINE_NS = 1_000
_SHARE = 6
"""A burst is at first one part in two to the power of this of its time after the trigger."""
_COARSE = 2


def poured(flow: Flow, t: int, size: int, zero: int | None) -> Flow:
    """``flow`` after ``size`` bytes at ``t`` (ns), not before its last; ``zero``: the trigger, None while there is
    none."""
    if not flow.size:
        return Flow(flow.closed, t, t, size, flow.level)
    if t - flow.first < _grain(t, zero, flow.level):
        return Flow(flow.closed, flow.first, t, flow.size + size, flow.level)
    closed, level = flow.closed + _pack(flow.first, flow.last, flow.size), flow.level
    while len(closed) >= _FULL or (level > flow.level and len(closed) > _KEPT):
        level += 1
        closed = _joined(closed, zero, level)
    return Flow(closed, t, t, size, level)


def _grain(t: int, zero: int | None, level: int) -> int:
    if zero is None:
        return _GRAIN_NS << level
    return max(_FINE_NS << level, (t - zero) >> max(_COARSE, _SHARE - level))


def _joined(bursts: bytes, zero: int | None, level: int) -> bytes:
    joined: list[tuple[int, int, int]] = []
    for first, last, size in PACKED.iter_unpack(bursts):
        if joined and first - joined[-1][0] < _grain(first, zero, level):
            before = joined[-1]
            joined[-1] = (before[0], last, before[2] + size)
        else:
            joined.append((first, last, size))
    return b"".join(_pack(*each) for each in joined)
