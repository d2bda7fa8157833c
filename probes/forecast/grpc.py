"""gRPC's deadline: one for the whole call, on either side, whatever comes meanwhile."""

from __future__ import annotations

import math

from probes.events import LanePlan
from probes.forecast.window import (
    AT_ONCE,
    FOREVER,
    Timer,
    Window,
    about,
    disturbed_end,
    handed_on,
    streaming,
    total_s,
)

_OUTSIDE = ("task.cancel elsewhere",)
_REFUSED = Window(0.0, 1.0)
_ATTEMPT = Window(1.5, math.inf)
"""A call that does not wait for ready fails with its attempt to connect, which the lane gives two seconds."""


def timers(plan: LanePlan) -> list[Timer]:
    seconds = plan.timeouts.get("deadline")
    if seconds is None:
        return []
    if not handed_on(plan):
        return [Timer("deadline", seconds, None, "a link of the middleware does not hand the deadline on")]
    window = AT_ONCE.plus(seconds)
    if _outside(plan) and seconds > _reached(plan):
        why = "its caller waits in none of grpc's awaits, and need not hear of its deadline"
        return [Timer("deadline", seconds, Window(seconds, math.inf), why)]
    return [Timer("deadline", seconds, window, "the deadline is for the whole call, however the chunks come")]


def end(plan: LanePlan) -> Window:
    return disturbed_end(plan, _end(plan))


def _outside(plan: LanePlan) -> bool:
    return plan.cause in _OUTSIDE or bool(plan.options.get("pause"))


def _reached(plan: LanePlan) -> float:
    """The least until the call is in its phase."""
    if plan.phase == "mid-stream":
        return plan.delay + max(0, plan.after - 1) * plan.interval
    return total_s(plan) - plan.delay if plan.phase == "after the last chunk" else 0.0


def _end(plan: LanePlan) -> Window:
    if plan.phase == "connecting":
        if plan.options.get("wait_for_ready"):
            return FOREVER
        return _REFUSED if plan.options.get("target") == "dead" else _ATTEMPT
    if _outside(plan):
        return FOREVER
    if plan.shape == "unary" or (plan.shape == "client stream" and plan.phase == "first response"):
        return about(plan.delay)
    return streaming(plan)
