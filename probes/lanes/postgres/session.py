"""What a PostgreSQL lane keeps over the runs, and which class reaches which phase."""

from __future__ import annotations

from probes.events import LanePlan
from probes.lanes.base import Lane
from probes.lanes.bench import Bench
from probes.lanes.postgres.backends import Backends
from probes.lanes.postgres.connecting import Startup, TcpConnect
from probes.lanes.postgres.copying import CopyIn, CopyOut
from probes.lanes.postgres.lane import PostgresLane
from probes.lanes.postgres.listening import Listen
from probes.lanes.postgres.login import Login
from probes.lanes.postgres.rows import Cursor, Rows
from probes.lanes.postgres.statements import InTransaction, Statement
from probes.lanes.postgres.waiting import Acquire

LANES: dict[str, type[PostgresLane]] = {
    "TCP connect": TcpConnect,
    "startup": Startup,
    "pool acquire": Acquire,
    "statement executing": Statement,
    "rows streaming": Rows,
    "cursor": Cursor,
    "transaction": InTransaction,
    "COPY out": CopyOut,
    "COPY in": CopyIn,
    "LISTEN": Listen,
}
"""By phase, as ``probes.catalogue`` names them."""


class PostgresSession:
    """Where the lane connects, and who watches its backends; a pool is each run's own."""

    def __init__(self, bench: Bench, login: Login, backends: Backends) -> None:
        self.bench, self._login, self._backends = bench, login, backends

    def lane(self, run: int, plan: LanePlan) -> Lane:
        return LANES[plan.phase](self.bench, self._login, self._backends, run, plan)

    async def warm(self, plan: LanePlan) -> None:
        """Nothing is kept over the runs."""

    async def held(self) -> dict[str, int]:
        """``Backends.held`` tells for all sessions."""
        return {}

    async def close(self) -> None:
        """Nothing outlives a run."""
