"""The PostgreSQL lane: asyncpg, through the tap, watched from outside.

What asyncpg raises proves nothing about the backend: the client raises first, then a CancelRequest leaves on a
connection of its own, then 57014 comes back. The wire tells that; pg_stat_activity, polled on a connection that does
not pass the tap (``backends``), tells what the wire cannot: that a statement really executes, that a backend runs on
after its connection was cut. The time between two looks is the error of what is seen so.

``session`` knows which class of lane reaches which phase; ``lane`` is what they have in common.
"""

from probes.lanes.postgres.backends import Backends
from probes.lanes.postgres.login import Login
from probes.lanes.postgres.session import PostgresSession

__all__ = ["Backends", "Login", "PostgresSession"]
