"""Where outside clients find the lab: addresses, and commands to copy. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from app.paint.canvas import Canvas, Role
from app.paint.pages import Line
from app.paint.text import fit, plain
from app.paint.view import View

_RECIPES: dict[str, tuple[tuple[str, str], ...]] = {
    "http": (
        ("HTTP/1.1", "curl -so/dev/null -m1 http://{at}/stream"),
        ("HTTP/2", "curl -so/dev/null -m1 --http2-prior-knowledge http://{at}/stream"),
        ("a slow head", "curl -m1 'http://{at}/slow-headers?delay=10'"),
        ("what else there is", "curl http://{at}/"),
    ),
    "https": (("TLS", "curl -kso/dev/null -m1 https://{at}/stream"),),
    "hypercorn": (("ASGI behind a framework", "curl -so/dev/null -m1 http://{at}/stream"),),
    "grpc": (
        ("what there is, by reflection", "grpcurl -plaintext {at} list"),
        ("a server stream", "grpcurl -plaintext -max-time 1 {at} cancelloscope.v1.Slow/ServerStream"),
    ),
    "postgres": (
        ("a statement; Ctrl-C cancels it", "psql postgresql://guest:guest@{at}/postgres -c 'SELECT pg_sleep(9)'"),
    ),
}
"""By service, what it shows and how to ask for it, short enough for a dialog. ``at`` is host:port."""


def recipes(addresses: Mapping[str, str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """(service, its commands with the addresses filled in), in the table's order; a service without one is left out."""
    found = []
    for service, commands in _RECIPES.items():
        if service in addresses:
            at = addresses[service]
            found.append((service, [(what, command.format(at=at)) for what, command in commands]))
    return found


def recipe_lines(addresses: Mapping[str, str]) -> list[Line]:
    """The page of commands; each on a line of its own, so that a terminal's selection takes it whole."""
    lines: list[Line] = []
    for service, commands in recipes(addresses):
        lines.append([(plain(service), Role.STRONG), (f"  {plain(addresses[service])}", Role.DONE)])
        for what, command in commands:
            lines += [[(f"  {what}", Role.DIM)], [(f"  {plain(command)}", Role.TEXT)]]
        lines.append([])
    return lines or [[("the taps are not open yet", Role.DIM)]]


def paint_addresses(view: View, columns: int, rows: int) -> Canvas:
    """The panel at the side: a service and its address a line."""
    canvas = Canvas(columns, rows)
    for y, (service, _) in enumerate(recipes(view.session.guests)):
        address = view.session.guests[service]
        canvas.put(0, y, fit(plain(service), 10), Role.STRONG)
        canvas.right(columns, y, fit(plain(address), columns - 11), Role.TEXT)
    canvas.put(0, len(view.session.guests) + 1, "a", Role.KEY)
    canvas.put(2, len(view.session.guests) + 1, fit("commands to copy", columns - 2), Role.DIM)
    return canvas


def title(_view: View, _rows: int) -> tuple[str, str]:
    return "connect here", ""


def height(view: View) -> int:
    return len(view.session.guests) + 4
