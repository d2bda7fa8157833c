"""What the lanes of all phases have in common once there is a pool: its slot, its backend, who may end it and how."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import asyncpg

from probes.clock import Stamp
from probes.events import BackendState, Event, FaultPlan, FrameSeen, LanePlan, Layer
from probes.lanes.base import Blow, Lane
from probes.lanes.bench import Bench
from probes.lanes.postgres.backends import FAILURES, GONE, UNKNOWN, Backends, Sight, Watch
from probes.lanes.postgres.login import Login
from probes.lanes.postgres.options import Options
from probes.lanes.timers import due
from probes.schema import SQL_TAG

_CLOSE_TIMEOUT = 1.0
_HEAD_START = 0.002
_OVER = (GONE, UNKNOWN)
_AT_REST = ("idle", *_OVER)
"""States in which a backend does nothing for this call any more, or of which nobody can tell."""


class PostgresLane(Lane):
    """A call of one run with asyncpg. It has a backend once ``attend`` was called."""

    takes_links = True
    handled = False

    def __init__(self, bench: Bench, login: Login, backends: Backends, run: int, plan: LanePlan) -> None:
        super().__init__(bench, run, plan)
        self.login, self.backends = login, backends
        self.options = Options.of(plan)
        self.opened: Stamp | None = None
        """When the wait began that the client's own timeouts cover."""
        self.pid = 0
        self.state = ""
        """The backend's, as it was last seen."""
        self.watch: Watch | None = None
        self._limit: float | None = None
        """The timeout that asyncpg's call was made with."""
        self._calm = self._resting = False
        self._locks = 0
        self._counting = False
        self._asked: Stamp | None = None
        """When the first message of the last command passed the tap."""
        self._between = True
        self._ended = asyncio.Event()
        self._at_rest = asyncio.Event()

    # --- the call -------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """Around asyncpg's own call, as close as can be: what comes after it (ROLLBACK, the release of the slot)
        waits for the CancelRequest to be answered, and would make the client's end look late."""
        self.opened = self.timers.start()
        try:
            yield
        except BaseException as error:
            self.client_ended(error)
            raise
        finally:
            self.call_over()

    def limit(self) -> float | None:
        """Seconds: what the links leave of the plan's ``timeout`` for the call that is made now."""
        self._limit = self.chain.budget(self.timeout("timeout"))
        return self._limit

    def call_over(self) -> None:
        """The client has ended its call, or what came before it: now the backend's end is waited for."""
        self._ended.set()
        self._look_soon()

    def _look_soon(self) -> None:
        """Look often at the backend, but not before the news has left: a look holds up the loop that it leaves from."""
        if self.watch is not None:
            asyncio.get_running_loop().call_later(_HEAD_START, self.watch.hurry)

    def strike(self, task: asyncio.Task[Any]) -> Layer:
        self._look_soon()
        return super().strike(task)

    @property
    def tag(self) -> str:
        """The comment by which the tap knows whose statement it is."""
        return f"/* {self.application} */"

    def rows_sql(self) -> str:
        """Rows as the plan wants them: columns of ``size`` bytes, and ``interval`` seconds each."""
        plan = self.plan
        columns = ", ".join([f"repeat('x', {plan.size})"] * max(1, self.options.columns))
        return f"{self.tag} SELECT {columns}, pg_sleep({plan.interval}) FROM generate_series(1, {plan.chunks})"

    # --- its backend ----------------------------------------------------------------------------------

    def attend(self, pid: int) -> None:
        """This backend is the call's: watch it from here on."""
        self.pid = pid
        self.watch = self.backends.watch(pid, self.sight)

    def sight(self, sight: Sight) -> None:
        """One look at the backend. What it does once it was at rest, for a pool that takes it back, is not the call."""
        if self._resting:
            return
        news = self._news(sight)
        if news:
            self._say(sight)
        if not self.ready.is_set() and (evidence := self.reached(sight)):
            self.armed(evidence)
        if self.ready.is_set() and not self._calm and self.watch is not None:
            self._calm = True
            self.watch.calm()
        self._resting = self._ended.is_set() and self._rests(sight.state)
        if self._ended.is_set() and (news or not self._counting):
            self._counting = True
            self.bench.tasks.start(self._count(sight.state), name=f"locks of backend {self.pid}")

    async def _count(self, state: str) -> None:
        """The locks that the backend holds in this state; with that it has been looked at in full."""
        self._locks = 0
        if state not in (GONE, UNKNOWN):
            with contextlib.suppress(*FAILURES):
                self._locks = await self.backends.locks(self.pid, state)
        if self._rests(state):
            with contextlib.suppress(*FAILURES):
                await self.at_rest()
            self._at_rest.set()
            if self.watch is not None:
                self.watch.stop()

    def _rests(self, state: str) -> bool:
        # One whose client is gone has still to go, however idle it is.
        return state in (_AT_REST if self.connected else _OVER)

    @property
    def connected(self) -> bool:
        """Whether the client has its connection still."""
        return True

    async def at_rest(self) -> None:
        """The backend is at rest: look at what it has left behind. Raises what asyncpg raises."""

    def _news(self, sight: Sight) -> bool:
        """At work, a wait for the client says how it will hear of a cancel; other waits come and go with each row."""
        waits = sight.state in ("active", "starting") and sight.wait.startswith("Client")
        state = f"{sight.state} {sight.wait}" if waits else sight.state
        self.state, before = state, self.state
        return state != before

    def reached(self, sight: Sight) -> str:
        """The evidence that the phase is reached, if it is to be seen in pg_stat_activity."""
        del sight
        return ""

    def _say(self, sight: Sight) -> None:
        self.bench.sink.emit(
            BackendState,
            at=sight.at,
            run=self.run,
            lane=self.plan.lane,
            layer="server",
            pid=self.pid,
            state=sight.state,
            wait=sight.wait,
        )

    async def settled(self) -> None:
        """Wait until the backend has been seen at rest after the call."""
        if self.watch is not None:
            await self._at_rest.wait()

    # --- causes ---------------------------------------------------------------------------------------

    def blows(self) -> Mapping[str, Blow]:
        if not self.pid:
            # Whoever is faster than the call finds no backend and no connection to do it to.
            return {}
        return {
            "pg_cancel_backend": lambda: self._signal("pg_cancel_backend"),
            "pg_terminate_backend": lambda: self._signal("pg_terminate_backend"),
        }

    def _signal(self, function: str) -> Layer:
        self.backends.signal(function, self.pid)
        return "server"

    def cut(self) -> Layer:
        # The tap is the author, and says so: what it does is never shown as a FIN or RST of the server.
        fault = FaultPlan(kind="cut", how="RST")
        self.bench.tap.inject(fault, self.bench.ledger.conns(self.run, self.plan.lane))
        return "wire"

    def wire(self, event: Event) -> None:
        """The server's statement timer runs from the first message of a command on, Parse already."""
        if not isinstance(event, FrameSeen):
            return
        if event.name == "ReadyForQuery":
            self._between = True
        elif event.name in ("Parse", "Bind", "Query") and self._between:
            self._between, self._asked = False, Stamp(event.t, event.err)

    def own_timeout(self, error: BaseException) -> tuple[str, Stamp] | None:
        if isinstance(error, asyncpg.QueryCanceledError) and "statement timeout" in str(error):
            return self._due("statement_timeout", "statement_timeout", self._asked)
        if not self.is_timeout(error):
            return None
        name = "timeout" if self._limit is not None else "command_timeout"
        return self._due(f"asyncpg {name}", name, self.opened)

    def is_timeout(self, error: BaseException) -> bool:
        """Whether one of asyncpg's own timers brought this about."""
        return isinstance(error, TimeoutError)

    def _due(self, cause: str, name: str, since: Stamp | None) -> tuple[str, Stamp] | None:
        seconds = self.timeout(name)
        return None if seconds is None or since is None else (cause, due(since, seconds))

    # --- its end --------------------------------------------------------------------------------------

    def held(self) -> dict[str, int]:
        busy = self.state.partition(" Client")[0]
        return {f"backends {busy}": int(bool(busy) and busy not in _AT_REST), "locks": self._locks}

    @property
    def application(self) -> str:
        """application_name of the sessions of this lane and run."""
        return SQL_TAG.format(run=self.run, lane=self.plan.lane)

    async def teardown(self) -> None:
        """End the backends that are there still, so that no run finds the traces of another."""
        with contextlib.suppress(*FAILURES):
            await self.backends.end(self.application)
            if self.watch is not None:
                self.watch.hurry()
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await self._at_rest.wait()
        if self.watch is not None:
            self.watch.stop()
        await self.backends.idle()
