"""Which run a prepared statement belongs to: its tag stands in Parse, but Bind and Execute say a name only."""

from __future__ import annotations

from probes.tap.decode.text import decoded, printable
from probes.tap.seen import Tag

NAMES_LIMIT = 1024
"""Statements, and as many portals; the one named longest ago is forgotten first."""


class Statements:
    """Prepared statements and portals that carry a tag. Names that were not read to their end carry none."""

    def __init__(self) -> None:
        self._statements: dict[bytes, Tag] = {}
        self._portals: dict[bytes, Tag] = {}

    def parsed(self, statement: bytes, tag: Tag | None) -> None:
        _keep(self._statements, statement, tag)

    def bound(self, portal: bytes, statement: bytes) -> Tag | None:
        tag = self._statements.get(statement)
        _keep(self._portals, portal, tag)
        return tag

    def executed(self, portal: bytes) -> Tag | None:
        return self._portals.get(portal)

    def closed(self, kind: bytes, name: bytes) -> None:
        _keep(self._statements if kind == b"S" else self._portals, name, None)


def _keep(tags: dict[bytes, Tag], name: bytes, tag: Tag | None) -> None:
    tags.pop(name, None)
    if tag is not None:
        tags[name] = tag
        if len(tags) > NAMES_LIMIT:
            del tags[next(iter(tags))]


def cstrings(body: bytes, count: int) -> list[bytes]:
    """The first ``count`` strings of ``body``, which end with NUL; a missing one is empty."""
    parts = body.split(b"\0", count)[:count]
    return parts + [b""] * (count - len(parts))


def named(name: bytes) -> str:
    """A statement or portal as people read it: the unnamed one is an empty string on the wire."""
    return printable(decoded(name), 60) or "unnamed"
