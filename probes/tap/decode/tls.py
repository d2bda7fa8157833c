"""TLS records: type and length, which is all that a bystander without keys can know (RFC 8446 section 5.1)."""

from __future__ import annotations

from probes.tap.decode.input import Input, Malformed, Steps
from probes.tap.decode.items import Items
from probes.tap.seen import Seen

PROTO = "tls"
HANDSHAKE_BYTE = 0x16
"""The first byte of a connection that starts with TLS."""

_HEAD = 5
_LONGEST = (1 << 14) + 2048
"""TLSCiphertext of TLS 1.2; TLS 1.3 allows 256 bytes instead of 2048 over the plaintext's 2^14."""

_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA = 20, 21, 22, 23
_NAMES = {_CHANGE_CIPHER_SPEC: "change_cipher_spec", _ALERT: "alert", _HANDSHAKE: "handshake", 24: "heartbeat"}
_HELLOS = {1: "ClientHello", 2: "ServerHello"}
_ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    22: "record_overflow",
    40: "handshake_failure",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    109: "missing_extension",
    112: "unrecognized_name",
    116: "certificate_required",
    120: "no_application_protocol",
}


def records(source: Input, items: Items) -> Steps[None]:
    """One direction. Handshake and alert records have a readable first byte until the cipher changes."""
    clear = True
    while (yield from source.more()):
        head = yield from source.take(_HEAD)
        kind, length = head[0], int.from_bytes(head[3:5], "big")
        if head[1] != 3 or length > _LONGEST or not (kind in _NAMES or kind == _APPLICATION_DATA):
            raise Malformed(f"no TLS record: {head.hex()}")
        if kind == _APPLICATION_DATA:
            clear = False
            yield from _application_data(source, items, length)
            continue
        body = yield from source.kept(length, 2)
        items.seen(_record(kind, _HEAD + length, body if clear else b""))
        clear = clear and kind != _CHANGE_CIPHER_SPEC


def _record(kind: int, size: int, body: bytes) -> Seen:
    if kind == _HANDSHAKE and body:
        return Seen(PROTO, _HELLOS.get(body[0], "handshake"), size=size)
    if kind == _ALERT and len(body) == 2 and size == _HEAD + 2:
        return Seen(PROTO, "alert", code=f"{_ALERTS.get(body[1], 'alert')}({body[1]})", size=size)
    return Seen(PROTO, _NAMES[kind], size=size)


def _application_data(source: Input, items: Items, length: int) -> Steps[None]:
    items.tick(0, _HEAD)
    left = length
    while left:
        count = yield from source.some(left)
        source.skip(count)
        items.tick(0, count, count)
        left -= count
    items.tick(0, 0, 0, 1)
