"""Bytes over time, in a bounded number of bursts.

Events come in the order of time, so only the last burst can grow. What is nearer to its first byte than the grain
joins it. Before the trigger the grain is a fixed time, behind it also a share of the time since then: the microseconds
after the trigger are told apart, and so are the seconds later on, each as finely as its own place on a logarithmic
axis. Where the bursts have no room any more the grain doubles, and neighbours become one.
"""

from __future__ import annotations

from probes.state import Burst, Flow

ROOM = 192
"""Bursts of a flow, at most."""
_KEPT = ROOM * 3 // 4
_GRAIN_NS = 10_000
_FINE_NS = 1_000
_SHARE = 6
"""A burst is at first one part in two to the power of this of its time after the trigger."""
_COARSE = 2


def poured(flow: Flow, t: int, size: int, zero: int | None) -> Flow:
    """``flow`` after ``size`` bytes at ``t`` (ns), not before its last; ``zero``: the trigger, None while there is
    none."""
    last = flow.open
    if last is None:
        return Flow(open=Burst(t, t, size))
    if t - last.first < _grain(t, zero, flow.level):
        return Flow(flow.closed, Burst(last.first, t, last.size + size), flow.level)
    closed, level = (*flow.closed, last), flow.level
    while len(closed) >= ROOM or (level > flow.level and len(closed) > _KEPT):
        level += 1
        closed = _joined(closed, zero, level)
    return Flow(closed, Burst(t, t, size), level)


def _grain(t: int, zero: int | None, level: int) -> int:
    if zero is None:
        return _GRAIN_NS << level
    return max(_FINE_NS << level, (t - zero) >> max(_COARSE, _SHARE - level))


def _joined(bursts: tuple[Burst, ...], zero: int | None, level: int) -> tuple[Burst, ...]:
    joined = [bursts[0]]
    for each in bursts[1:]:
        last = joined[-1]
        if each.first - last.first < _grain(each.first, zero, level):
            joined[-1] = Burst(last.first, each.last, last.size + each.size)
        else:
            joined.append(each)
    return tuple(joined)
