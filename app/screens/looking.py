"""How the timeline is looked at: the keys and the pointer that change the lens."""

from __future__ import annotations

from dataclasses import replace

from textual.screen import Screen

from app.paint import lens as lenses
from app.paint import timeline
from app.paint.lens import WIDEST, Lens, Pin
from app.paint.rows import zero_of
from app.paint.view import View
from app.widgets.trace import Trace
from probes.moments import spots
from probes.part import Gap


class LookingScreen(Screen[None]):
    """Keeps the lens. What is drawn through it is another class's matter."""

    def __init__(self) -> None:
        super().__init__()
        self.lens: Lens = WIDEST
        self.selected = 0

    def looked_at(self) -> View:
        """The run through the lens, at this moment."""
        raise NotImplementedError

    def changed(self) -> None:
        """There is something new to draw, at the next frame."""
        raise NotImplementedError

    @property
    def track(self) -> int:
        """Columns of the axis."""
        axis = timeline.axis_in(self.looked_at(), self.query_one(Trace).inside.width)
        return max(1, axis.right - axis.left)

    def look(self, lens: Lens) -> None:
        if lens != self.lens:
            self.lens = lens
            self.changed()

    # --- the timebase ---------------------------------------------------------------------------------

    def action_axis(self) -> None:
        self.look(lenses.switched(self.lens, timeline.last_mark(self.looked_at()), self.track))

    def action_fit(self) -> None:
        self.look(lenses.fitted(self.lens, timeline.extent(self.looked_at()), self.track))

    def action_zoom(self, direction: int) -> None:
        self.look(lenses.zoomed(self.lens, direction, self._at(self.lens.cursor), self.track))

    def action_pan(self, direction: int) -> None:
        self.look(lenses.panned(self.lens, direction))

    def _at(self, pin: Pin | None) -> int:
        """Where a cursor is on the axis (ns after the trigger); without one, the trigger."""
        run = self.looked_at().run
        zero = zero_of(run.lanes[pin.lane], run) if pin is not None and pin.shown(run) else None
        return 0 if pin is None or zero is None else pin.t - zero

    # --- cursors --------------------------------------------------------------------------------------

    def action_moment(self, direction: int) -> None:
        run = self.looked_at().run
        self.put_cursor(lenses.stepped(self.lens, run, spots(run), direction))

    def put_cursor(self, lens: Lens) -> None:
        """The lens with a cursor that has moved: its lane is selected, and it is in the window."""
        cursor = lens.cursor
        if cursor is not None and cursor.shown(self.looked_at().run):
            self.selected = cursor.lane
            lens = lenses.showing(lens, self._at(cursor), self.track)
        self.look(lens)

    def action_second(self) -> None:
        self.look(lenses.paired(self.lens))

    def action_why(self) -> None:
        """The thread, from the cursor's mark; without a cursor in the selected lane, from the last one there."""
        self.put_cursor(self._asked(replace(self.lens, why=not self.lens.why)))

    def ask_on(self) -> None:
        """Another lane is selected: a thread that is shown is that lane's."""
        if self.lens.why:
            self.put_cursor(self._asked(self.lens))

    def _asked(self, lens: Lens) -> Lens:
        run, cursor = self.looked_at().run, lens.cursor
        if not lens.why or (cursor is not None and cursor.lane == self.selected and cursor.mark(run) is not None):
            return lens
        own = [spot for spot in spots(run) if spot.lane == self.selected]
        return replace(lens, cursor=lenses.pin(run, own[-1]) if own else cursor)

    def action_unmark(self) -> None:
        self.look(replace(self.lens, cursor=None, second=None, why=False))

    def section(self) -> Gap | None:
        """From one cursor to the other (ns), where there are two."""
        one, other = self.lens.cursor, self.lens.second
        if one is None or other is None or one.t == other.t or one.run != other.run:
            return None
        return min(one.t, other.t), max(one.t, other.t)

    # --- the pointer ----------------------------------------------------------------------------------

    def on_trace_pointed(self, event: Trace.Pointed) -> None:
        self.look(replace(self.lens, hover=event.pin))

    def on_trace_clicked(self, event: Trace.Clicked) -> None:
        if event.lane is not None:
            self.selected = event.lane
            self.changed()
        if event.pin is None:
            return
        if event.second:
            self.look(replace(self.lens, second=event.pin))
        else:
            self.look(replace(self.lens, cursor=event.pin))

    def on_trace_wheeled(self, event: Trace.Wheeled) -> None:
        self.look(lenses.zoomed(self.lens, event.direction, event.at, self.track))

    def on_trace_dragged(self, event: Trace.Dragged) -> None:
        self.look(lenses.panned(self.lens, event.divisions))
