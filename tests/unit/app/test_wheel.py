"""Installed as a wheel into an empty venv and started from elsewhere, the program finds its own files."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3]

pytestmark = pytest.mark.soak


def _run(*args: str | Path, cwd: Path) -> str:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(list(args), cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_brings_its_configuration(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, SOURCE, cwd=tmp_path)
    (wheel,) = wheels.glob("cancelloscope-*.whl")
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    site = Path(_run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    install = ["install", "--quiet", "--no-deps", "--no-index"]
    _run(sys.executable, "-m", "pip", "--python", python, *install, wheel, cwd=tmp_path)
    # The libraries are those of this venv; its own link to the source tree is a .pth file and is not followed.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    found = _run(python, "-P", "-c", "from app.paths import config_dir; print(config_dir())", cwd=elsewhere).strip()
    assert Path(found) == site.resolve() / "app" / "config"
    here = _run(sys.executable, "-P", "-m", "app", "scenarios", cwd=elsewhere)
    assert _run(home / "bin" / "cancelloscope", "scenarios", cwd=elsewhere) == here
    assert "one-scope" in here
    schema = _run(home / "bin" / "cancelloscope", "check", "--schema", cwd=elsewhere).strip()
    assert Path(schema).read_text(encoding="utf-8") == (SOURCE / "config" / Path(schema).name).read_text(
        encoding="utf-8"
    )
