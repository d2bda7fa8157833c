"""What the console remembers from one session to the next: the theme. One word in a file of its own, for people too."""

from __future__ import annotations

import contextlib
from pathlib import Path

from app.paths import user_dir

_FILE = "theme"


def remembered_theme(folder: Path | None = None) -> str:
    """The theme that was chosen last, as it is called inside of Textual or on the command line; empty: none."""
    try:
        return ((folder or user_dir()) / _FILE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def remember_theme(name: str, folder: Path | None = None) -> None:
    """Where nothing can be written the theme is simply not remembered."""
    folder = folder or user_dir()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _FILE).write_text(f"{name}\n", encoding="utf-8")
