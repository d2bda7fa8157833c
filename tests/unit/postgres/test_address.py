"""DSNs in, addresses out, and passwords nowhere else."""

from __future__ import annotations

import pytest

from servers.postgres import PgAddress, PgError, parse_dsn

ADDRESS = PgAddress(
    host="127.0.0.1", port=5433, user="us:er", password="p@ss/wörd", database="da ta", version="18.4", embedded=True
)


def test_only_the_dsn_holds_the_password() -> None:
    assert "p@ss" not in repr(ADDRESS) + str(ADDRESS) + ADDRESS.shown()
    assert ADDRESS.shown() == "postgresql://us%3Aer@127.0.0.1:5433/da%20ta"
    assert "p%40ss%2Fw%C3%B6rd" in ADDRESS.dsn()


@pytest.mark.parametrize("host", ["127.0.0.1", "db.example", "::1"])
def test_a_dsn_is_read_back_as_it_was_written(host: str) -> None:
    address = PgAddress(host=host, port=5433, user="us:er", password="p@ss/wörd", database="da ta")
    assert parse_dsn(address.dsn()) == address


def test_what_a_dsn_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    address = parse_dsn("postgres://me@db")
    assert (address.host, address.port, address.user, address.password, address.database) == (
        "db",
        5432,
        "me",
        "",
        "me",
    )
    monkeypatch.setenv("PGPASSWORD", "from the environment")
    assert parse_dsn("postgres://me@db").password == "from the environment"
    assert parse_dsn("postgres://me:mine@db").password == "mine"


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        ("", "does not begin with postgresql://"),
        ("mysql://me:hidden@db/x", "does not begin with postgresql://"),
        ("host=db user=me password=hidden", "does not begin with postgresql://"),
        ("postgresql://me:hidden@db:none/x", "no valid host and port"),
        ("postgresql://me:hidden@db:99999/x", "no valid host and port"),
        ("postgresql://me:hidden@[::1/x", "no valid host and port"),
        ("postgresql://me:hidden@db:0/x", "one host and one port"),
        ("postgresql://me:hidden@a,b/x", "one host and one port"),
        ("postgresql:///x", "names no TCP host"),
        ("postgresql://me:hidden@%2Frun%2Fpostgresql/x", "names no TCP host"),
        ("postgresql://db/x", "names no user"),
        ("postgresql://me:hidden@db/x?sslmode=verify-full", "use sslmode=disable"),
        ("postgresql://me:hidden@db/x?options=-c", "'options'"),
    ],
)
def test_a_bad_dsn_gets_one_line_without_its_password(dsn: str, says: str) -> None:
    with pytest.raises(PgError) as caught:
        parse_dsn(dsn)
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    assert "hidden" not in message


def test_a_mode_that_allows_plain_connections_is_taken() -> None:
    assert parse_dsn("postgresql://me@db/x?sslmode=prefer").database == "x"
