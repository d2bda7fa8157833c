"""What is zero for a guest, when its client and the server's own timer race for it."""

from __future__ import annotations

import pytest

from probes.clock import Stamp
from probes.events import CALL, Event, RunStarted, SpanCancelled, SpanStarted, Trigger
from probes.fold import fold, order_key
from probes.sink import Sink
from probes.state import Moment
from probes.tap.guests import Guests

MS = 1_000_000
REQUEST = "lab.Slow/Stream"


class Hall:
    """One guest, whose handler the servers process tells of."""

    def __init__(self) -> None:
        self.said: list[Event] = []
        self.guests = Guests(Sink("lab", lambda event, _line: self.said.append(event)), 1)
        self.guest = self.guests.join("grpc", "peer", "tap", REQUEST, Stamp(0))
        self.attribute(SpanStarted(t=MS, seq=1, span=1, name=CALL, evidence=f"{REQUEST} from tap", **HANDLER))

    def attribute(self, event: Event) -> None:
        self.said.append(self.guests.attribute(event))

    def told(self, t: int) -> None:
        """The handler heard, by ``t``."""
        self.attribute(SpanCancelled(t=t, seq=2, span=1, name=CALL, error="CancelledError", **HANDLER))

    @property
    def server(self) -> tuple[int, str]:
        """ns from zero to the server's Done, and what zero was."""
        assert isinstance(self.said[0], RunStarted)
        (lane,) = fold(sorted(self.said, key=order_key)).lanes
        done = lane.layer("server").first(Moment.DONE)
        assert lane.zero is not None
        assert done is not None
        return done.t - lane.zero.t, lane.zero.cause


HANDLER = {"err": 0, "src": "servers", "lane": "handler 1", "layer": "server"}


@pytest.mark.parametrize("late", [False, True], ids=["as it happened", "the servers' pipe is late"])
def test_a_servers_own_timer_that_is_first_is_zero(late: bool) -> None:
    hall = Hall()
    if not late:
        hall.told(800 * MS)
    hall.guests.leave(hall.guest, "client RST_STREAM CANCEL(8)", Stamp(801 * MS))
    if late:
        hall.told(800 * MS)
    assert hall.server == (0, "server's own timer")


def test_a_client_that_is_first_is_zero() -> None:
    hall = Hall()
    hall.guests.leave(hall.guest, "client RST_STREAM CANCEL(8)", Stamp(800 * MS))
    hall.told(801 * MS)
    assert hall.server == (MS, "client RST_STREAM CANCEL(8)")
    assert len([event for event in hall.said if isinstance(event, Trigger)]) == 1
