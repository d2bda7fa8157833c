"""Longer texts for dialogs."""

from __future__ import annotations

from collections.abc import Sequence

from app.paint.canvas import Canvas, Role
from app.paint.text import fit

Line = Sequence[tuple[str, Role]]

LEGEND: tuple[Line, ...] = (
    (("◆", Role.DONE), (" Done", Role.STRONG), ("  the layer has been told", Role.TEXT)),
    (
        ("■", Role.INTERRUPT),
        (" I/O interrupt", Role.STRONG),
        ("  bytes really stopped: RST_STREAM, FIN, RST,", Role.TEXT),
    ),
    (("  CancelRequest and its ErrorResponse 57014", Role.TEXT),),
    (("●", Role.CLEANUP), (" cleanup", Role.STRONG), ("  the layer holds nothing any more", Role.TEXT)),
    (("◇ □ ○", Role.TEXT), (" hollow", Role.STRONG), ("  only claimed by a library, not seen on the wire", Role.TEXT)),
    (("▾", Role.ZERO), (" trigger", Role.STRONG), ("  zero of the axis: logarithmic to 10 s, or linear", Role.TEXT)),
    (("≈◆", Role.DONE), (" tie", Role.STRONG), ("  nearer to the mark before it than can be measured", Role.TEXT)),
    (("‹◆ ◆›", Role.DONE), (" beyond", Role.STRONG), ("  a mark left or right of what the axis shows", Role.TEXT)),
    (
        ("▁▃▆", Role.RUNNING),
        (" bytes", Role.STRONG),
        ("  on the wire, the higher the more; ", Role.TEXT),
        ("▁▃▆", Role.ALERT),
        (" after Done", Role.TEXT),
    ),
    (
        ("╰──◆", Role.STRONG),
        (" thread", Role.STRONG),
        ("  from a mark's cause to the mark; × the news ends", Role.TEXT),
    ),
    (
        ("━", Role.RUNNING),
        (" runs, nobody told it yet   ", Role.TEXT),
        ("━", Role.DONE),
        (" told, not through", Role.TEXT),
    ),
    (("×┅×┅×", Role.ALERT), (" fault", Role.STRONG), ("  the tap disturbs the connection, on purpose", Role.TEXT)),
    ((" ▒▒ zombie ", Role.ZOMBIE), ("  works on after its caller's Done", Role.TEXT)),
)
"""What the shapes and colours of the timeline mean."""


def paint_lines(lines: Sequence[Line], top: int, columns: int, rows: int) -> Canvas:
    """``rows`` of ``lines`` from line ``top`` on."""
    canvas = Canvas(columns, rows)
    for y, line in enumerate(lines[top : top + rows]):
        x = 0
        for text, role in line:
            x = canvas.put(x, y, fit(text, columns - x), role)
    return canvas
