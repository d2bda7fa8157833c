"""What every benchmark prints with: medians, 95th percentiles, ratios, and what machine it was."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of ``values`` lie, by nearest rank. Raises ValueError when empty."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def row(name: str, values: Sequence[float], unit: str, budget: str = "") -> str:
    """One line: name, median, p95, count, and the budget that it is to be read against."""
    if not values:
        return f"{name:<44} {'no values':>21}   {budget}"
    median, p95 = percentile(values, 0.5), percentile(values, 0.95)
    return f"{name:<44} {median:>9.1f} {p95:>11.1f} {unit:<4} n={len(values):<5} {budget}"


def heading(title: str) -> str:
    return f"\n{title}\n{'':<44} {'median':>9} {'p95':>11}"


def machine() -> str:
    """The machine in one line."""
    return f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores"
