"""Windows of time, and what a timer is worth over a wait."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from probes.events import TO_CLIENT, LanePlan

NOW_S = 0.005
"""How late a timer may be that is set with the call: libuv counts in ms, and another lane may be started first."""
SOON_S = 0.1
"""How long it may take until the request is out, or the server's answer is there when nothing holds it up."""
SHORT_S = 0.05
"""No wait that nothing holds up takes longer."""


class Window(NamedTuple):
    """Seconds after the calls were begun, or a length: at least, and at most."""

    soonest: float
    latest: float

    def plus(self, seconds: float) -> Window:
        return Window(self.soonest + seconds, self.latest + seconds)


AT_ONCE = Window(0.0, NOW_S)
SOON = Window(0.0, SOON_S)
SHORT = Window(0.0, SHORT_S)
FOREVER = Window(math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Timer:
    """One timer that is set. ``window``: when it fires if nothing else ends the call; None: never, because ``why``."""

    name: str
    seconds: float
    window: Window | None
    why: str
    covers: bool = True
    """Whether it is made for what the call does in its phase."""


def about(seconds: float, slack: float = 0.2) -> Window:
    """What is waited out in sleeps: never shorter, a little longer."""
    return Window(seconds, seconds * 1.25 + slack)


def held(seconds: float) -> Window:
    """A phase that lasts so long; 0 is to the end of the run."""
    return about(seconds) if seconds else FOREVER


def over(seconds: float, length: Window, since: Window = AT_ONCE) -> Window | None:
    """When a timer fires that is set for each wait of this length, the first of which begins at ``since``."""
    if seconds >= length.latest:
        return None
    sure = seconds < length.soonest
    return Window(since.soonest + seconds, since.latest + seconds if sure else math.inf)


def total_s(plan: LanePlan) -> float:
    """The least that all chunks take: whoever sends them waits after each."""
    return plan.delay + max(0, plan.chunks - 1) * plan.interval


def streaming(plan: LanePlan) -> Window:
    """How long all chunks take. Without a pause between them nobody can tell."""
    most = about(plan.delay + plan.chunks * plan.interval, 1.0).latest if plan.interval else math.inf
    return Window(total_s(plan), most)


def handed_on(plan: LanePlan) -> bool:
    """Whether the links of the middleware hand the client's own timeouts on."""
    return not any(link in ("drop-deadline", "independent") for link in plan.middleware)


# --- faults ---------------------------------------------------------------------------------------------

_SILENT = frozenset({"freeze", "black-hole", "hold"})


def disturbing(plan: LanePlan) -> bool:
    """Whether the tap changes what the call goes through before anything cancels it."""
    return any(fault.at != "trigger" and not fault.kind.endswith("-cancel") for fault in plan.faults)


def silent_from(plan: LanePlan, reached: Window) -> Window | None:
    """From when on nothing comes back any more, to the end of the run; None where that is not what the tap does.
    ``reached``: when the call is in its phase."""
    faults = [fault for fault in plan.faults if fault.at != "trigger" and not fault.kind.endswith("-cancel")]
    if len(faults) != 1:
        return None
    (fault,) = faults
    whole = fault.kind in _SILENT and fault.direction in ("", TO_CLIENT) and fault.seconds is None
    return None if not whole else SOON if fault.at == "start" else reached


def disturbed_end(plan: LanePlan, end: Window) -> Window:
    """The call's own end, as the tap's faults let it come."""
    if not disturbing(plan):
        return end
    cut = any(fault.kind == "cut" and fault.at != "trigger" for fault in plan.faults)
    return Window(0.0 if cut else end.soonest, math.inf)
