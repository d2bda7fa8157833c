"""Addresses that do not answer."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import pytest

from probes.tap.deadends import Address, dead_address, stalled_address
from tests.kit.tap_kit import descriptors, on_both_loops

_SYN_SENT = "02"


def _states(address: Address) -> list[str]:
    """The kernel's states of the connections to ``address``."""
    port = f":{address[1]:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [fields[3] for fields in lines if fields[2].endswith(port)]


@pytest.mark.skipif(sys.platform != "linux", reason="what a full backlog does with a SYN is Linux's")
@on_both_loops
async def test_a_connect_to_a_stalled_address_does_not_complete() -> None:
    loop = asyncio.get_running_loop()
    before = descriptors()
    async with stalled_address() as address:
        stalled_before = _states(address).count(_SYN_SENT)
        with socket.socket() as client:
            client.setblocking(False)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await loop.sock_connect(client, address)
            assert _states(address).count(_SYN_SENT) == stalled_before + 1
    assert descriptors() == before
    with socket.socket() as client, pytest.raises(ConnectionRefusedError):
        client.connect(address)


@on_both_loops
async def test_a_dead_address_refuses_and_is_nobody_elses() -> None:
    before = descriptors()
    with dead_address() as address:
        for _ in range(3):
            with socket.socket() as client, pytest.raises(ConnectionRefusedError):
                client.connect(address)
        with socket.socket() as rival, pytest.raises(OSError, match="in use"):
            rival.bind(address)
    assert descriptors() == before
