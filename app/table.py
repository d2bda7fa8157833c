"""A run's result as aligned text for people; the same numbers as the JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TextIO

_HEAD = ("lane", "layer", "Done", "I/O interrupt", "cleanup", "evidence")
_LAYERS = ("caller", "client", "wire", "server", "resource")
_CHUNKS = ("accepted", "on_wire", "read")
_COLOURS = {"clean": "32", "zombie": "35", "claimed, not seen": "33", "too late": "36"}
"""ANSI colours of the verdicts; any other is red."""


def wants_colour(stream: TextIO) -> bool:
    """A terminal, and nobody asked for plain text (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def table(result: Mapping[str, Any], *, colour: bool = False) -> str:
    """Several lines without a final newline. Control characters in the data are shown, never sent."""
    rows: list[tuple[str, ...]] = [_HEAD]
    for name, lane in result["lanes"].items():
        rows += [_row(name if layer == "caller" else "", layer, lane[layer]) for layer in _LAYERS]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    lines = [_title(result), _aligned(_HEAD, widths)]
    body = iter(rows[1:])
    for lane in result["lanes"].values():
        lines += [_aligned(next(body), widths) for _ in _LAYERS]
        lines.append(" " * (widths[0] + 2) + _summary(lane, colour))
    skew = ", ".join(f"{moment} {span(us)}" for moment, us in result["skew_us"].items())
    lines.append(f"skew: {skew}; loop lag {span(result['loop_lag_us'])}")
    if leaked := result.get("census", {}).get("leaked"):
        lines.append("left after the run: " + ", ".join(f"{count} {shown(name)}" for name, count in leaked.items()))
    return "\n".join(lines)


def shown(text: object) -> str:
    """``text`` with control characters spelt out: what a file says is data."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(text))


def span(us: float | None) -> str:
    """Microseconds for people, three figures or more: ``92.1 µs``, ``1.21 ms``, ``2.5 s``; ``-`` for None."""
    if us is None:
        return "-"
    if abs(us) < 1000:
        return f"{us:.1f} µs"
    return f"{us / 1000:.2f} ms" if abs(us) < 1_000_000 else f"{us / 1e6:.2f} s"


def _title(result: Mapping[str, Any]) -> str:
    cause = shown(result["trigger"]["cause"] or "no trigger")
    aborted = f"  ABORTED: {shown(result['aborted'])}" if "aborted" in result else ""
    return f"{shown(result['scenario'])}  run {result['run']}  cause: {cause}{aborted}"


def _row(name: str, layer: str, part: Mapping[str, Any]) -> tuple[str, ...]:
    evidence = shown(part.get("evidence") or "")
    if layer == "wire":
        evidence = f"{evidence} ({part['stamp']} stamp)" if evidence else "nothing seen"
    moments = [span(part[key]) if key in part else "" for key in ("done_us", "interrupt_us", "cleanup_us")]
    return shown(name), layer, *moments, evidence


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.rjust(width) if column in (2, 3, 4) else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=False))
    ]
    return "  ".join([*cells, row[-1]]).rstrip()


def _summary(lane: Mapping[str, Any], colour: bool) -> str:
    chunks, machine, zombie = lane["chunks"], lane["machine"], lane["zombie"]
    accepted, on_wire, read = ("?" if chunks[name] is None else chunks[name] for name in _CHUNKS)
    parts = [
        _verdict(lane["verdict"], colour),
        f"client {machine['client']}, server {machine['server']}",
        f"chunks {accepted} accepted, {on_wire} on the wire, {read} read",
    ]
    if zombie["ms"]:
        parts.append(f"zombie {zombie['ms']:g} ms, {zombie['bytes']} bytes")
    if lane.get("budget_ms"):
        left = ", ".join("no limit" if ms is None else f"{ms:g} ms" for ms in lane["budget_ms"])
        parts.append(f"left of the deadline: {left}")
    if lane.get("links"):
        parts.append("links: " + ", ".join(f"{shown(link['name'])} {link['effect']}" for link in lane["links"]))
    for role, other in lane.get("others", {}).items():
        parts.append(shown(f"{other['count']} {role}: {other['outcome']} {other['evidence']}".strip()))
    if lane["residue"]:
        parts.append("left: " + ", ".join(f"{count} {shown(name)}" for name, count in lane["residue"].items()))
    if machine["violations"]:
        parts.append(f"{machine['violations']} violations")
    return "; ".join(parts)


def _verdict(verdict: str, colour: bool) -> str:
    return f"\x1b[{_COLOURS.get(verdict, '31')};1m{verdict}\x1b[0m" if colour else verdict
