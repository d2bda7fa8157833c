"""The row of the middleware: link by link, what became of the signal on its way from the caller to the client."""

from __future__ import annotations

from app.paint.axis import Axis
from app.paint.canvas import Canvas, Role
from app.paint.text import fit, plain
from probes.state import LaneState, LinkState, RunState

EFFECTS: dict[str, tuple[str, Role]] = {
    "passed": ("▸", Role.TEXT),
    "weakened": ("▾", Role.DONE),
    "died": ("×", Role.ALERT),
    "grew": ("▴", Role.INTERRUPT),
}
"""Of a signal at a link: its shape and its colour."""

ROW = "links"


def has_links(run: RunState) -> bool:
    """Whether any lane has middleware, so that the row is there."""
    return any(lane.plan.middleware for lane in run.lanes)


def paint_links(canvas: Canvas, y: int, lane: LaneState, axis: Axis) -> None:
    """``pass ▸ passed  shield × died``: every link of the chain, the outermost first, with what it did last."""
    x = max(axis.zero, axis.left) + 2
    for number, name in enumerate(lane.plan.middleware, start=1):
        effect = _last(lane, number)
        glyph, role = EFFECTS[effect.effect] if effect is not None else ("·", Role.DIM)
        words = f"{plain(name)} {glyph} {effect.effect if effect is not None else 'nothing came'}"
        if x + 3 > axis.right:
            return
        x = canvas.put(x, y, fit(words, axis.right - x), role) + 2


def _last(lane: LaneState, number: int) -> LinkState | None:
    """What the link did: a signal that died there is worth more than a deadline that it took off before."""
    found = [link for link in lane.links if link.link == number]
    return next((link for link in found if link.effect == "died"), found[-1] if found else None)
