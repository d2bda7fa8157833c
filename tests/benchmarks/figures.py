"""What every benchmark prints with: medians, 95th percentiles, ratios, and what machine it was."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of ``values`` lie, by nearest rank. Raises ValueError when empty."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def row(name: str, values: Sequence[float], unit: str, budget: str = "") -> str:
    """One line: name, median, p95, count, and the budget that it is to be read against."""
    if not values:
        return f"{name:<44} {'no values':>21}   {budget}"
    median, p95 = percentile(values, 0.5), percentile(values, 0.95)
    return f"{name:<44} {median:>9.1f} {p95:>11.1f} {unit:<4} n={len(values):<5} {budget}"


def versus(name: str, without: Sequence[float], with_: Sequence[float], budget: str = "") -> str:
    """One line: the 95th percentiles of two series that were taken in turn, their ratio, and that of the medians."""
    if not without or not with_:
        return f"{name:<44} {'no values':>21}   {budget}"
    first, second = percentile(without, 0.95), percentile(with_, 0.95)
    medians = percentile(with_, 0.5) / percentile(without, 0.5)
    return f"{name:<44} {first:>9.1f} {second:>11.1f} {second / first:>7.2f} {medians:>7.2f} n={len(with_):<5} {budget}"


def heading(title: str) -> str:
    return f"\n{title}\n{'':<44} {'median':>9} {'p95':>11}"


def machine() -> str:
    """The machine in one line."""
    return f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores"
