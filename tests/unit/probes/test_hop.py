"""Whom a hop's lane waits for at its end."""

from __future__ import annotations

from probes.events import CALLED_BY, LanePlan
from probes.lanes.hop import HopLane
from probes.lanes.postgres.login import Login
from tests.kit.bench_kit import workshop

LOGIN = Login("127.0.0.1", 5432, "u", "p", "d")


async def test_a_hop_to_postgres_waits_for_no_handler_of_the_servers() -> None:
    async with workshop() as shop:
        for protocol, login, handled in (("http/1.1", None, True), ("postgres", LOGIN, False)):
            plan = LanePlan(lane="b", protocol=protocol, phase="response headers", options={CALLED_BY: "a"})
            assert HopLane(shop.bench, 1, plan, login).handled is handled
