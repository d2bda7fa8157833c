"""Channels of grpc.aio: with which options one is made, and when it is connected.

* Without ``_SMALL_WINDOW`` the client's window is 4 to 8 MiB, and a stream of a few KiB is over before it is cancelled.
* On UNAVAILABLE a channel reconnects by itself, so its backoff is short.
* Two channels with the same target and options share one connection, unless each has a subchannel pool of its own.
* ``grpc.min_reconnect_backoff_ms`` is also how long one attempt to connect lasts. Nothing else ends it, neither a
  cancel of the call that it is made for nor ``channel.close()``: with the default it lives for 20 s (measured, 1.85).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio

from probes.events import LanePlan
from probes.tap.proxy import Address

CONNECT_TIMEOUT = 5.0
_SMALL_WINDOW = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16_384))
_COMMON = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_retries", 0),
)
_ATTEMPT_MS = 500
_ONLY_ATTEMPT_MS = 2_000
"""A call that does not wait for ready fails with its attempt, so this one has to last until somebody cancels."""


def shared_channel(address: Address) -> grpc.aio.Channel:
    """A channel that is kept over the runs."""
    return _channel(address, (*_SMALL_WINDOW, ("grpc.min_reconnect_backoff_ms", _ATTEMPT_MS)))


def own_channel(address: Address, plan: LanePlan, interceptors: Sequence[Any] = ()) -> grpc.aio.Channel:
    """A channel for one run, with a connection that nobody else has."""
    attempt = _ATTEMPT_MS if plan.options.get("wait_for_ready") else _ONLY_ATTEMPT_MS
    window = () if plan.options.get("window") == "default" else _SMALL_WINDOW
    options = (*window, ("grpc.min_reconnect_backoff_ms", attempt), ("grpc.use_local_subchannel_pool", 1))
    return _channel(address, options, interceptors)


def _channel(
    address: Address, options: tuple[tuple[str, int], ...], interceptors: Sequence[Any] = ()
) -> grpc.aio.Channel:
    target = "{}:{}".format(*address)
    return grpc.aio.insecure_channel(target, options=(*_COMMON, *options), interceptors=interceptors)


async def connected(channel: grpc.aio.Channel) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(CONNECT_TIMEOUT):
        await channel.channel_ready()


async def until_state(channel: grpc.aio.Channel, *states: grpc.ChannelConnectivity) -> grpc.ChannelConnectivity:
    """Wait until ``channel`` is in one of ``states``."""
    state = channel.get_state()
    while state not in states:
        await channel.wait_for_state_change(state)
        state = channel.get_state()
    return state
