"""``Trace``: the timeline's panel, which also says what the pointer does on it."""

from __future__ import annotations

from textual import events
from textual.geometry import Offset, Region
from textual.message import Message

from app.paint import timeline
from app.paint.canvas import Canvas
from app.paint.lens import CELLS, Pin
from app.paint.scene import Scene
from app.paint.view import View
from app.widgets.panel import Panel


class Trace(Panel):
    """Keeps the scene that it shows, so that a place on the screen is a moment of a run."""

    class Pointed(Message):
        """The pointer is on a mark, or on none any more."""

        def __init__(self, pin: Pin | None) -> None:
            super().__init__()
            self.pin = pin

    class Clicked(Message):
        """``pin``: the mark or the time there; ``second``: with shift, or with the right button."""

        def __init__(self, pin: Pin | None, lane: int | None, *, second: bool) -> None:
            super().__init__()
            self.pin, self.lane, self.second = pin, lane, second

    class Wheeled(Message):
        """``at``: ns after the trigger, under the pointer; ``direction``: 1 closer."""

        def __init__(self, direction: int, at: int) -> None:
            super().__init__()
            self.direction, self.at = direction, at

    class Dragged(Message):
        """The window is to move by so many divisions to the right."""

        def __init__(self, divisions: float) -> None:
            super().__init__()
            self.divisions = divisions

    def __init__(self, *, id: str) -> None:
        super().__init__(self._paint, timeline.title, id=id)
        self._scene = Scene(Canvas(0, 0))
        self._grip: Offset | None = None
        """Where the button went down, or from where it was dragged on."""
        self._moved = False
        self._pointed: Pin | None = None

    def _paint(self, view: View, columns: int, rows: int) -> Canvas:
        self._scene = timeline.scene(view, columns, rows)
        return self._scene.canvas

    @property
    def inside(self) -> Region:
        """The cells within the frame, from the panel's corner."""
        columns, rows = self.size
        if self.chrome == "bare" or columns < 4 or rows < 3:
            return Region(0, 0, columns, rows)
        edge = int(self.chrome == "box")
        return Region(edge, 1, columns - 2 * edge, rows - 1 - edge)

    def _pin(self, at: Offset) -> Pin | None:
        place = at - self.inside.offset
        return None if self._view is None else self._scene.pin_at(place.x, place.y, self._view.run)

    # --- the pointer ----------------------------------------------------------------------------------

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if self._scene.slots:
            self._grip, self._moved = event.offset, False
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._grip is not None:
            self._drag(self._grip, event.offset)
            return
        pin = self._pin(event.offset)
        self._say(pin if pin is not None and pin.moment is not None else None)

    def on_leave(self) -> None:
        self._say(None)

    def _say(self, pin: Pin | None) -> None:
        if pin != self._pointed:
            self._pointed = pin
            self.post_message(self.Pointed(pin))

    def _drag(self, grip: Offset, to: Offset) -> None:
        moved = grip.x - to.x
        # A logarithmic axis moves by whole decades: so many columns are one.
        if abs(moved) >= (1 if self._linear else CELLS):
            self._grip, self._moved = to, True
            self.post_message(self.Dragged(moved / CELLS))

    @property
    def _linear(self) -> bool:
        return self._view is not None and self._view.lens.linear

    def on_mouse_up(self, event: events.MouseUp) -> None:
        grip, self._grip = self._grip, None
        self.release_mouse()
        if grip is None or self._moved:
            return
        lane = self._scene.lane_at((event.offset - self.inside.offset).y)
        self.post_message(self.Clicked(self._pin(event.offset), lane, second=event.shift or event.button == 3))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, -1)

    def _wheel(self, event: events.MouseScrollUp | events.MouseScrollDown, direction: int) -> None:
        event.stop()
        x = (event.offset - self.inside.offset).x
        if self._scene.slots and x >= self._scene.axis.left:
            self.post_message(self.Wheeled(direction, self._scene.axis.time(x)))
