"""Text from the wire, made fit to be shown: bounded, escaped, without secrets. And the tags in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from probes.schema import LANE_HEADER, RUN_HEADER, SQL_TAG
from probes.tap.seen import Tag

DETAIL = 120
"""Characters of a ``Seen.detail``, at most."""

SQL_DETAIL = 80
"""Characters of a statement that are shown."""

Fields = Iterable[tuple[bytes, bytes]]
"""Names in lower case, and values."""

_RUN = re.compile(r"[0-9]{1,12}")
_LANE = re.compile(r"[\x20-\x7e]{1,64}")
_SQL_TAG = re.compile(rf"\s*/\* {SQL_TAG.format(run='([0-9]{1,12})', lane='([ -~]{1,64}?)')} \*/\s*")
_PASSWORD = re.compile(r"(?i)(\bpassword\s+)'[^']*'?")
_USERINFO = re.compile(r"//[^/@\s]*@")


def printable(text: str, most: int = DETAIL) -> str:
    """``text`` on one line of at most ``most`` characters; what a terminal would obey is escaped."""
    head = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: most + 1])
    return head if len(head) <= most else head[: most - 1] + "…"


def decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def target(data: bytes) -> str:
    """A request target without the password that one with an authority may hold."""
    return _USERINFO.sub("//***@", decoded(data[: 4 * DETAIL]))


def grpc_message(data: bytes) -> str:
    """A grpc-message, which is percent-encoded UTF-8 (gRPC over HTTP/2, "Responses")."""
    return decoded(unquote_to_bytes(data[: 4 * DETAIL]))


def statement(data: bytes) -> tuple[str, Tag | None]:
    """The head of a statement as it may be shown, and the tag in its first comment (which is not shown again)."""
    text = decoded(data)
    found = _SQL_TAG.match(text)
    tag = None
    if found:
        tag = Tag(int(found[1]), found[2])
        text = text[found.end() :]
    return printable(_PASSWORD.sub(r"\1'***'", text), SQL_DETAIL), tag


def tag_of(fields: Fields) -> Tag | None:
    """The tag in the header fields or metadata of a request: both fields, well formed, or none."""
    values = dict(fields)
    run = decoded(values.get(RUN_HEADER.encode(), b""))
    lane = decoded(values.get(LANE_HEADER.encode(), b""))
    if _RUN.fullmatch(run) and _LANE.fullmatch(lane):
        return Tag(int(run), lane)
    return None
