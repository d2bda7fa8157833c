"""What only this lane has: ``LanePlan.options`` by name (``probes.catalogue.OPTIONS``), with defaults."""

from __future__ import annotations

from dataclasses import dataclass, fields

from probes.events import LanePlan


@dataclass(frozen=True, slots=True)
class Options:
    """``pool_size``: connections of the pool.

    ``statement``: what executes: ``sleep`` for the plan's delay, an ``insert`` that takes as long, or ``executemany``
    of the plan's chunks. ``fetch``: rows that stream are read one by one from a ``cursor``, or ``all`` at once; empty
    for what the cause needs. ``columns``: of ``size`` bytes each, that a row has. ``check_interval``:
    client_connection_check_interval of the session in ms, 0 is off. ``acquire_timeout``: seconds of
    ``acquire(timeout=)``, which bounds the release too; 0 is none. ``follow_up``: statements that come on the same
    pool, once the call has ended.
    """

    pool_size: int = 2
    statement: str = "sleep"
    fetch: str = ""
    check_interval: float = 0.0
    columns: int = 1
    acquire_timeout: float = 0.0
    follow_up: int = 0

    @classmethod
    def of(cls, plan: LanePlan) -> Options:
        """What a plan says, with defaults for what it does not; options of every protocol are not looked at."""
        mine = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in plan.options.items() if name in mine})  # type: ignore[arg-type]
