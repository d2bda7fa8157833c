"""A parent to be killed: keeps an embedded PostgreSQL until the end of its stdin.

``python pg_parent.py [CACHE]``; without CACHE the user's own cache is taken. Each event goes to stdout as a line,
then {"dsn": ...}; for each line of stdin, which is a statement to run, {"notice": ...} when the server
sends one; and {"left": true} after an orderly end.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import asyncpg
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from probes.events import Event
from probes.outlet import read_lines
from probes.sink import Sink
from probes.tasks import TaskKeeper
from servers.postgres import EmbeddedPostgres


def _say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def _write(_event: Event, line: bytes) -> None:
    print(line.decode(), flush=True)


def _died(reason: str) -> None:
    _say(death=reason)


def _failed(name: str, error: BaseException) -> None:
    sys.exit(f"{name}: {error!r}")


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn, ssl="disable")
    connection.add_log_listener(lambda _, message: _say(notice=message.message))
    try:
        await connection.execute(statement)
    except (asyncpg.PostgresError, OSError) as error:
        _say(failed=type(error).__name__)


async def main() -> None:
    tasks = TaskKeeper(_failed)
    cache = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    server = EmbeddedPostgres(Sink("lab", _write), tasks, _died, cache=cache)
    address = await server.start()
    _say(dsn=address.dsn())
    async for line in read_lines():
        tasks.start(_execute(address.dsn(), line.decode()), name="statement")
    await server.stop()
    await tasks.close()
    _say(left=True)


if __name__ == "__main__":
    uvloop.run(main())
