"""Painters: pure functions from a ``View`` to a ``Canvas``. No clock, no loop, no widget: ``now`` is an argument."""
