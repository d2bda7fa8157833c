"""The PostgreSQL protocol, version 3, as a bystander reads it (PostgreSQL manual, "Frontend/Backend Protocol").

Held at most: ``STARTUP_LIMIT`` bytes before the session, the first ``KEPT`` bytes of a message after, and
``NAMES_LIMIT`` prepared statements and portals that carry a tag. Rows and COPY data are only measured.

Never read: what answers an authentication request, what authentication exchanges, the secret of a cancel key.
"""

from __future__ import annotations

from probes.tap.decode import tls
from probes.tap.decode.duplex import Duplex
from probes.tap.decode.input import Input, Malformed, Steps
from probes.tap.decode.items import Items
from probes.tap.decode.statements import Statements, cstrings, named
from probes.tap.decode.text import decoded, printable, statement
from probes.tap.seen import Seen

PROTO = "postgres"
STARTUP_LIMIT = 10_000
"""MAX_STARTUP_PACKET_LENGTH of the server."""
KEPT = 1024
_LONGEST = (1 << 30) - 1
"""PQ_LARGE_MESSAGE_LIMIT of the server, which no message may reach."""
_HEAD = 5

_CANCEL, _SSL, _GSSENC = 80877102, 80877103, 80877104
_ENCRYPTION = {_SSL: "SSLRequest", _GSSENC: "GSSENCRequest"}
_CANCEL_LONGEST = 12 + 256
"""Since protocol 3.2 a cancel key's secret has up to 256 bytes."""

_BULK = frozenset({"DataRow", "CopyData"})
_FRONTEND = {
    "B": "Bind",
    "C": "Close",
    "D": "Describe",
    "E": "Execute",
    "F": "FunctionCall",
    "H": "Flush",
    "P": "Parse",
    "Q": "Query",
    "S": "Sync",
    "X": "Terminate",
    "c": "CopyDone",
    "d": "CopyData",
    "f": "CopyFail",
    "p": "PasswordMessage",
}
_BACKEND = {
    "1": "ParseComplete",
    "2": "BindComplete",
    "3": "CloseComplete",
    "A": "NotificationResponse",
    "C": "CommandComplete",
    "D": "DataRow",
    "E": "ErrorResponse",
    "G": "CopyInResponse",
    "H": "CopyOutResponse",
    "I": "EmptyQueryResponse",
    "K": "BackendKeyData",
    "N": "NoticeResponse",
    "R": "Authentication",
    "S": "ParameterStatus",
    "T": "RowDescription",
    "V": "FunctionCallResponse",
    "W": "CopyBothResponse",
    "Z": "ReadyForQuery",
    "c": "CopyDone",
    "d": "CopyData",
    "n": "NoData",
    "s": "PortalSuspended",
    "t": "ParameterDescription",
    "v": "NegotiateProtocolVersion",
}
_AUTHENTICATION = {
    0: ("AuthenticationOk", ""),
    2: ("AuthenticationKerberosV5", ""),
    3: ("AuthenticationCleartextPassword", "PasswordMessage"),
    5: ("AuthenticationMD5Password", "PasswordMessage"),
    7: ("AuthenticationGSS", "GSSResponse"),
    8: ("AuthenticationGSSContinue", "GSSResponse"),
    9: ("AuthenticationSSPI", "GSSResponse"),
    10: ("AuthenticationSASL", "SASLInitialResponse"),
    11: ("AuthenticationSASLContinue", "SASLResponse"),
    12: ("AuthenticationSASLFinal", ""),
}
"""Request -> its name, and the name of the message of type ``p`` that answers it."""

_READY = {"I": "idle", "T": "in transaction", "E": "failed transaction"}
_STARTUP_SHOWN = ("user", "database", "application_name", "replication")


class Postgres:
    """Both directions of one connection."""

    def __init__(self) -> None:
        self.duplex = Duplex(PROTO, self.client, self.server)
        self._statements = Statements()
        self._asked = ""
        """SSLRequest or GSSENCRequest, while the answer of one byte is missing."""
        self._password = "PasswordMessage"
        """What the next message of type ``p`` is."""

    # --- before the session -------------------------------------------------------------------------------

    def client(self, source: Input, items: Items) -> Steps[None]:
        while (yield from source.more()):
            if source.data[source.position] == tls.HANDSHAKE_BYTE:
                # sslnegotiation=direct, or the ClientHello after an SSLRequest that was agreed to.
                self.duplex.become(tls.PROTO, tls.records, tls.records)
                return
            length = int.from_bytes((yield from source.take(4)), "big")
            if not 8 <= length <= STARTUP_LIMIT:
                raise Malformed(f"a startup packet of {length} bytes")
            body = yield from source.take(length - 4)
            code = int.from_bytes(body[:4], "big")
            if code >> 16 == 3:
                items.seen(Seen(PROTO, "StartupMessage", detail=_startup(code, body), size=length))
                yield from self._session(source, items)
            elif code == _CANCEL and 16 <= length <= _CANCEL_LONGEST:
                pid = int.from_bytes(body[4:8], "big")
                items.seen(Seen(PROTO, "CancelRequest", detail=f"pid {pid}", size=length, backend=pid))
            elif code in _ENCRYPTION and length == 8:
                self._asked = _ENCRYPTION[code]
                items.seen(Seen(PROTO, self._asked, size=length))
            else:
                raise Malformed(f"no startup packet of version 3: {code:#010x}")

    def _agreed(self, source: Input, items: Items) -> bool:
        """Read the one byte that answers SSLRequest or GSSENCRequest; True when encryption follows."""
        answer = chr(source.data[source.position])
        asked, self._asked = self._asked, ""
        if answer not in "SGN":
            return False
        source.skip(1)
        items.seen(Seen(PROTO, asked.replace("Request", "Response"), code=answer, size=1))
        if answer == "S":
            self.duplex.become(tls.PROTO, tls.records, tls.records)
        elif answer == "G":
            self.duplex.give_up("encrypted with GSSAPI")
        return answer != "N"

    # --- the session --------------------------------------------------------------------------------------

    def _session(self, source: Input, items: Items) -> Steps[None]:
        while (yield from source.more()):
            name, length = yield from _next(source, _FRONTEND)
            if name in _BULK:
                yield from _bulk(source, items, length)
            elif name == "PasswordMessage":
                yield from source.kept(length, 0)
                items.seen(Seen(PROTO, self._password, size=_HEAD + length))
            else:
                body = yield from source.kept(length, KEPT)
                items.seen(self._from_client(name, body, _HEAD + length))

    def server(self, source: Input, items: Items) -> Steps[None]:
        while (yield from source.more()):
            if self._asked and self._agreed(source, items):
                return
            if not source.available:
                continue
            name, length = yield from _next(source, _BACKEND)
            if name in _BULK:
                yield from _bulk(source, items, length)
            else:
                # Of an authentication request only its number, of a cancel key only the pid before the secret.
                body = yield from source.kept(length, 4 if name in ("Authentication", "BackendKeyData") else KEPT)
                items.seen(self._from_server(name, body, _HEAD + length))

    def _from_client(self, name: str, body: bytes, size: int) -> Seen:
        if name == "Query":
            text, tag = statement(body.split(b"\0", 1)[0])
            return Seen(PROTO, name, detail=text, size=size, tag=tag)
        if name == "Parse":
            prepared, sql = cstrings(body, 2)
            shown, tag = statement(sql)
            self._statements.parsed(prepared, tag)
            return Seen(PROTO, name, detail=shown, size=size, tag=tag)
        if name == "Bind":
            portal, prepared = cstrings(body, 2)
            return Seen(PROTO, name, detail=named(prepared), size=size, tag=self._statements.bound(portal, prepared))
        if name == "Execute":
            portal = cstrings(body, 1)[0]
            return Seen(PROTO, name, detail=named(portal), size=size, tag=self._statements.executed(portal))
        if name == "Close":
            self._statements.closed(body[:1], cstrings(body[1:], 1)[0])
        return Seen(PROTO, name, detail=_of_client(name, body), size=size)

    def _from_server(self, name: str, body: bytes, size: int) -> Seen:
        if name == "Authentication":
            name, answer = _AUTHENTICATION.get(int.from_bytes(body[:4], "big"), (name, ""))
            self._password = answer or self._password
            return Seen(PROTO, name, size=size)
        if name == "BackendKeyData":
            pid = int.from_bytes(body[:4], "big")
            return Seen(PROTO, name, detail=f"pid {pid}", size=size, backend=pid)
        if name == "ReadyForQuery":
            return Seen(PROTO, name, code=_READY.get(decoded(body[:1]), ""), size=size, closes=True)
        if name in ("ErrorResponse", "NoticeResponse"):
            code, detail = _report(body)
            return Seen(PROTO, name, code=code, detail=detail, size=size)
        return Seen(PROTO, name, detail=_of_server(name, body), size=size)


def _next(source: Input, names: dict[str, str]) -> Steps[tuple[str, int]]:
    """The next message's name, and its length without its head. Raises Malformed."""
    head = yield from source.take(_HEAD)
    name = names.get(chr(head[0]))
    length = int.from_bytes(head[1:], "big")
    if name is None:
        raise Malformed(f"no message type of PostgreSQL 3: {head[0]:#04x}")
    if not 4 <= length <= _LONGEST:
        raise Malformed(f"{name} of {length} bytes")
    return name, length - 4


def _bulk(source: Input, items: Items, length: int) -> Steps[None]:
    items.tick(0, _HEAD)
    left = length
    while left:
        count = yield from source.some(left)
        source.skip(count)
        items.tick(0, count, count)
        left -= count
    items.tick(0, 0, 0, 1)


def _startup(code: int, body: bytes) -> str:
    words = [decoded(word) for word in body[4:].split(b"\0")]
    values = dict(zip(words[::2], words[1::2], strict=False))
    shown = (f"{key}={values[key]}" for key in _STARTUP_SHOWN if key in values)
    return printable(" ".join([f"{code >> 16}.{code & 0xFFFF}", *shown]))


def _of_client(name: str, body: bytes) -> str:
    if name in ("Describe", "Close"):
        kind = {b"S": "statement", b"P": "portal"}.get(body[:1], "")
        return f"{kind} {named(cstrings(body[1:], 1)[0])}"
    if name == "CopyFail":
        return printable(decoded(cstrings(body, 1)[0]))
    return ""


def _of_server(name: str, body: bytes) -> str:
    if name == "CommandComplete":
        return printable(decoded(cstrings(body, 1)[0]))
    if name == "ParameterStatus":
        return printable("=".join(map(decoded, cstrings(body, 2))))
    if name == "NotificationResponse":
        return printable(decoded(cstrings(body[4:], 1)[0]))
    if name == "RowDescription":
        return f"{int.from_bytes(body[:2], 'big')} columns"
    return ""


def _report(body: bytes) -> tuple[str, str]:
    """SQLSTATE, and severity with message, of ErrorResponse and NoticeResponse. V is the severity untranslated."""
    fields = {word[:1]: word[1:] for word in body.split(b"\0") if word}
    severity = fields.get(b"V") or fields.get(b"S", b"")
    return printable(decoded(fields.get(b"C", b"")), 8), printable(decoded(severity + b" " + fields.get(b"M", b"")))
