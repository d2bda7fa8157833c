"""What a scenario needs that is not part of every installation."""

from __future__ import annotations

from importlib.util import find_spec

from app.settings import RunSettings

OPTIONAL = ("httpx2",)
"""Clients that come with an extra of the same name."""


def lacking(settings: RunSettings) -> str:
    """What is missing for these lanes, and how to get it; empty where everything is there."""
    clients = {str(plan.options.get("client", "")) for plan in settings.lanes}
    missing = [name for name in OPTIONAL if name in clients and find_spec(name) is None]
    return "; ".join(f"{name} is not installed: pip install 'cancelloscope[{name}]'" for name in missing)
