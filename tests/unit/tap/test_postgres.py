"""PostgreSQL: real sessions of asyncpg and psql, and what a bystander must stand."""

from __future__ import annotations

import pytest

from probes.events import TO_CLIENT, TO_SERVER
from probes.tap.decode import postgres_conversation
from probes.tap.decode.statements import NAMES_LIMIT, Statements
from probes.tap.seen import Seen, Tag, Tick
from tests.unit.tap.sessions import Decoded, Script, captured, decode, ssl_agreed

TAG = Tag(7, "postgres")
STARTUP = b"\0\0\0\x11\0\x03\0\0user\0me\0\0"
READY = b"Z\0\0\0\x05I"


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def client(*messages: bytes) -> Decoded:
    return decode(postgres_conversation(), [(TO_SERVER, STARTUP + b"".join(messages))])


def server(*messages: bytes) -> Decoded:
    return decode(postgres_conversation(), [(TO_CLIENT, b"".join(messages))])


@pytest.fixture
def scram() -> Decoded:
    return decode(postgres_conversation(), captured("pg_scram"))


def test_how_a_session_begins(scram: Decoded) -> None:
    assert scram.names(TO_SERVER)[:3] == ["StartupMessage", "SASLInitialResponse", "SASLResponse"]
    assert scram.seen[TO_SERVER][0].detail == "3.0 user=postgres database=postgres"
    authentication = ["AuthenticationSASL", "AuthenticationSASLContinue", "AuthenticationSASLFinal", "AuthenticationOk"]
    assert scram.names(TO_CLIENT)[:4] == authentication


def test_a_cancel_names_the_backend_that_it_means(scram: Decoded) -> None:
    cancel = decode(postgres_conversation(), captured("pg_cancel")).seen[TO_SERVER]
    keys = [seen for seen in scram.seen[TO_CLIENT] if seen.name == "BackendKeyData"]
    assert [(seen.name, seen.size) for seen in cancel] == [("CancelRequest", 16)]
    assert cancel[0].backend == keys[0].backend > 0


def test_a_cancelled_statement_fails_and_closes(scram: Decoded) -> None:
    at = [seen.code for seen in scram.seen[TO_CLIENT]].index("57014")
    error, ready = scram.seen[TO_CLIENT][at : at + 2]
    assert error.detail == "ERROR canceling statement due to user request"
    assert (ready.name, ready.code, ready.closes) == ("ReadyForQuery", "idle", True)


def test_transactions_are_told(scram: Decoded) -> None:
    codes = {seen.code for seen in scram.seen[TO_CLIENT] if seen.name == "ReadyForQuery"}
    assert codes == {"idle", "in transaction"}
    assert server(message(b"Z", b"E")).seen[TO_CLIENT][0].code == "failed transaction"


def test_rows_and_copy_data_are_measured(scram: Decoded) -> None:
    assert scram.total(TO_SERVER).messages == 1
    rows = 50 + 50 + 7 + 1
    assert scram.total(TO_CLIENT).messages == rows + 2
    assert {"CopyInResponse", "CopyOutResponse", "CopyDone", "PortalSuspended"} <= set(scram.names(TO_CLIENT))


def test_statements_are_shown_without_their_tag_and_passwords(scram: Decoded) -> None:
    queries = [seen for seen in scram.seen[TO_SERVER] if seen.name == "Query"]
    assert (queries[0].detail, queries[0].tag) == ("CREATE ROLE plain LOGIN PASSWORD '***'", TAG)
    assert (queries[1].detail, queries[1].tag) == ("CREATE TABLE t (n int, s text)", None)


def test_what_was_prepared_under_a_tag_keeps_it(scram: Decoded) -> None:
    tagged = [(seen.name, seen.detail) for seen in scram.seen[TO_SERVER] if seen.tag]
    assert tagged.count(("Bind", "__asyncpg_stmt_1__")) == 2
    assert tagged.count(("Execute", "__asyncpg_portal_4__")) == 3
    assert ("Bind", "__asyncpg_stmt_7__") not in tagged


def test_a_name_that_is_prepared_again_or_closed_loses_its_tag() -> None:
    parse, bind = b"s\0/* cancelloscope run=7 lane=postgres */ SELECT 1\0\0\0", b"\0s\0\0\0\0\0\0\0"
    for forget in (message(b"P", b"s\0SELECT 1\0\0\0"), message(b"C", b"Ss\0")):
        decoded = client(message(b"P", parse), message(b"B", bind), forget, message(b"B", bind), message(b"E", b"\0"))
        assert [seen.tag for seen in decoded.seen[TO_SERVER][1:]] == [TAG, TAG, None, None, None]


@pytest.mark.parametrize(
    ("sql", "tag"),
    [
        ("\n /* cancelloscope run=12 lane=http/2 + reset */SELECT 1", Tag(12, "http/2 + reset")),
        ("SELECT 1 /* cancelloscope run=7 lane=postgres */", None),
        ("/* cancelloscope run=x lane=postgres */ SELECT 1", None),
        ("/* cancelloscope run=7 lane= */ SELECT 1", None),
        ("/* cancelloscope run=7 lane=a\n */ SELECT 1", None),
    ],
)
def test_only_a_well_formed_comment_at_the_start_is_a_tag(sql: str, tag: Tag | None) -> None:
    assert client(message(b"Q", sql.encode() + b"\0")).seen[TO_SERVER][1].tag == tag


def test_names_with_a_tag_are_bounded() -> None:
    statements = Statements()
    for number in range(3 * NAMES_LIMIT):
        statements.parsed(str(number).encode(), TAG)
        statements.bound(str(number).encode(), str(number).encode())
    assert len(statements._statements) == len(statements._portals) == NAMES_LIMIT


def test_encryption_that_is_refused_goes_on_in_clear() -> None:
    decoded = decode(postgres_conversation(), captured("pg_no_ssl"))
    assert decoded.names(TO_SERVER)[:2] == ["SSLRequest", "StartupMessage"]
    assert decoded.seen[TO_CLIENT][0] == Seen("postgres", "SSLResponse", "N", size=1)
    request: Script = [(TO_SERVER, b"\0\0\0\x08\x04\xd2\x16\x30"), (TO_CLIENT, b"N"), (TO_SERVER, STARTUP)]
    assert decode(postgres_conversation(), request).names(TO_SERVER) == ["GSSENCRequest", "StartupMessage"]


def test_encryption_that_is_agreed_to_goes_on_in_tls() -> None:
    conversation = postgres_conversation()
    decoded = decode(conversation, ssl_agreed())
    assert conversation.proto == "tls"
    assert decoded.names(TO_SERVER)[:2] == ["SSLRequest", "ClientHello"]
    assert decoded.names(TO_CLIENT)[:2] == ["SSLResponse", "ServerHello"]


def test_an_error_instead_of_the_answer_about_encryption() -> None:
    error = message(b"E", b"SFATAL\0C53300\0Mtoo many clients\0\0")
    decoded = decode(postgres_conversation(), [captured("pg_no_ssl")[0], (TO_CLIENT, error)])
    assert (decoded.seen[TO_CLIENT][0].code, decoded.seen[TO_CLIENT][0].detail) == ("53300", "FATAL too many clients")


def test_gssapi_encryption_loses_both_directions() -> None:
    script: Script = [(TO_SERVER, b"\0\0\0\x08\x04\xd2\x16\x30"), (TO_CLIENT, b"Gxx"), (TO_SERVER, b"yy")]
    decoded = decode(postgres_conversation(), script)
    assert [len(decoded.lost[way]) for way in (TO_SERVER, TO_CLIENT)] == [1, 1]
    assert decoded.total(TO_CLIENT) == Tick(0, 2, 0, 0)


def test_libpq_messages() -> None:
    decoded = decode(postgres_conversation(), captured("pg_psql"))
    assert decoded.seen[TO_SERVER][0].detail == "3.2 user=postgres database=postgres application_name=psql"
    assert {"EmptyQueryResponse", "NotificationResponse", "NoticeResponse"} <= set(decoded.names(TO_CLIENT))
    notices = [seen for seen in decoded.seen[TO_CLIENT] if seen.name == "NoticeResponse"]
    assert (notices[0].code, notices[0].detail) == ("00000", "NOTICE hello")


def test_rare_messages() -> None:
    decoded = client(message(b"f", b"no more\0"), message(b"F", b"secret"), message(b"c"), message(b"H"))
    assert decoded.names(TO_SERVER)[1:] == ["CopyFail", "FunctionCall", "CopyDone", "Flush"]
    assert decoded.seen[TO_SERVER][1].detail == "no more"
    assert "secret" not in repr(decoded.items)
    answered = server(message(b"v", b"\0\3\0\0\0\0\0\0"), message(b"W", b"\0\0\0"), message(b"V"), message(b"n"))
    assert answered.names(TO_CLIENT) == [
        "NegotiateProtocolVersion",
        "CopyBothResponse",
        "FunctionCallResponse",
        "NoData",
    ]


def test_a_statement_of_megabytes_is_not_kept() -> None:
    conversation = postgres_conversation()
    conversation.feed(TO_SERVER, STARTUP + b"Q" + (8_000_004).to_bytes(4, "big"))
    items = [item for _ in range(800) for item in conversation.feed(TO_SERVER, b"x" * 10_000)]
    assert [(item.name, item.size, len(item.detail)) for item in items if isinstance(item, Seen)] == [
        ("Query", 8_000_005, 80)
    ]


def test_text_from_the_server_is_escaped() -> None:
    error = message(b"E", b"VERROR\0CXX000\0M\x1b[2J\xff\xe2\x80\xae" + b"m" * 2000 + b"\0\0")
    detail = server(error).seen[TO_CLIENT][0].detail
    assert detail.startswith("ERROR \\x1b[2J")
    assert "\\u202e" in detail
    assert len(detail) == 120


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\x03",
        b"\0\0\x40\0",
        b"\0\0\0\x08\0\x02\0\0",
        b"\0\0\0\x08\x04\xd2\x16\x2e",
        STARTUP + b"?\0\0\0\x04",
        STARTUP + b"Q\0\0\0\x03",
        STARTUP + b"Q\x40\0\0\0",
    ],
)
def test_what_cannot_be_followed_is_lost_once_and_still_counted(data: bytes) -> None:
    decoded = decode(postgres_conversation(), [(TO_SERVER, data), (TO_SERVER, b"more")])
    assert len(decoded.lost[TO_SERVER]) == 1
    assert decoded.said[TO_SERVER] == len(data) + 4


def test_a_message_cut_by_the_end_of_file_is_incomplete() -> None:
    decoded = server(READY, b"D\0\0\0\x20abc")
    assert decoded.names(TO_CLIENT) == ["ReadyForQuery", "incomplete"]
    assert decoded.lost[TO_CLIENT] == []
    assert server(READY).names(TO_CLIENT) == ["ReadyForQuery"]
