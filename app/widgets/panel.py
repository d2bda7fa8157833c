"""``Panel``: shows what a painter makes, and tells the terminal only about the lines that changed."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.events import Click, Resize
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from app.paint.canvas import Canvas, Role
from app.paint.frame import Chrome, framed
from app.paint.status import paint_footer, shown_hints
from app.paint.view import Painter, Title, View


def role_class(role: Role) -> str:
    return f"role--{role.name.lower().replace('_', '-')}"


class Canvassed(Widget):
    """A widget whose content is a canvas. Colours come from the stylesheet, one component class a role."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {role_class(role) for role in Role}

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._canvas: Canvas | None = None
        self._strips: list[Strip] = []
        self._palette: dict[Role, Style] = {}

    def make_canvas(self, columns: int, rows: int) -> Canvas:
        """What to show in ``columns`` x ``rows`` cells."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Paint, and repaint the lines that are not as they were."""
        if not self.size:
            return
        if not self._palette:
            self._palette = {role: self.get_component_rich_style(role_class(role)) for role in Role}
        before, drawn = self._canvas, self._strips
        self._canvas = canvas = self.make_canvas(*self.size)
        self._strips = canvas.strips(self._palette, before, drawn)
        if before is None or (before.columns, before.rows) != (canvas.columns, canvas.rows):
            self.refresh()
            return
        changed = [y for y, strip in enumerate(self._strips) if strip is not drawn[y]]
        if changed:
            self.refresh(*(Region(0, y, canvas.columns, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.rich_style)

    def on_resize(self, _event: Resize) -> None:
        self.redraw()

    def notify_style_update(self) -> None:
        """The theme changed: every colour is asked for again."""
        super().notify_style_update()
        self._palette = {}
        self._canvas, self._strips = None, []
        self.call_later(self.redraw)


class Panel(Canvassed):
    """One painter's place on a screen. ``chrome`` is set by the screen: a box, a line above, or nothing."""

    def __init__(self, painter: Painter, title: Title | None = None, *, id: str) -> None:
        super().__init__(id=id)
        self._painter, self._title = painter, title
        self._view: View | None = None
        self.chrome: Chrome = "box"

    def show(self, view: View, chrome: Chrome = "box") -> None:
        """Draw ``view`` unless it is the one that is shown already."""
        if view == self._view and chrome == self.chrome and self._strips:
            return
        self._view, self.chrome = view, chrome
        self.redraw()

    def make_canvas(self, columns: int, rows: int) -> Canvas:
        if self._view is None:
            return Canvas(columns, rows)
        return framed(self._painter, self._title, self.chrome, self._view, columns, rows)


class KeyLine(Panel):
    """The footer: a click on a key does what the key does."""

    def __init__(self) -> None:
        super().__init__(paint_footer, id="keys")

    async def on_click(self, event: Click) -> None:
        if self._view is None:
            return
        for first, end, hint in shown_hints(self._view.hints, self.size.width):
            if first <= event.x < end:
                await self.screen.run_action(hint.action)
