"""The tap's decoders: they are fed what passed and say what it was. No socket, no clock, no loop.

What is held at most, a connection: one fed piece beside the bounds of each module (``HEAD_LIMIT``,
``BLOCK_LIMIT``, ``TABLE_LIMIT``, ``KEPT``, ...), which are stated where they apply. Bodies are never kept.
Text from the wire is cut and escaped; passwords, SASL contents and cancel keys are skipped unread.
"""

from __future__ import annotations

from probes.tap.decode.postgres import Postgres
from probes.tap.decode.sniff import Sniffer
from probes.tap.seen import Conversation


def http_conversation() -> Conversation:
    """HTTP/1.1, HTTP/2 with prior knowledge, or TLS: told by the first bytes, whoever sends them."""
    return Sniffer().duplex


def postgres_conversation() -> Conversation:
    """The PostgreSQL protocol, version 3, also on the connection that carries a CancelRequest only."""
    return Postgres().duplex
