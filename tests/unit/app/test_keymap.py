"""Keys of one's own: what may be said in a file of them, and the one line that says what may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.actions import ACTIONS, help_lines, hints
from app.cli import main
from app.keymap import DEFAULT, KeymapError, default_file, load, parse

BY_ID = {action.id: action for action in ACTIONS}


def test_the_shipped_keys_are_what_the_shipped_file_says() -> None:
    keymap = parse(default_file(), "keymap.toml")
    assert {name: set(keymap.keys(BY_ID[name])) for name in BY_ID} == {
        name: set(DEFAULT.keys(BY_ID[name])) for name in BY_ID
    }


def test_no_two_actions_of_a_table_have_one_name_in_one_section() -> None:
    assert len({(action.id, action.keys) for action in ACTIONS}) == len(ACTIONS)


def test_footer_and_help_follow() -> None:
    keymap = parse('[live]\ncancel_all = ["k", "f5"]\nreplay = "P"\n[log]\n"scroll(1)" = "ctrl+j"\n', "mine.toml")
    assert next(each.keys for each in hints("live", keymap.shown) if each.action == "cancel_all") == "k"
    assert next(each.keys for each in hints("log", keymap.shown) if each.action == "scroll(1)") == "up ctrl+j"
    told = ["".join(text for text, _ in line) for line in help_lines("live", keymap.shown)]
    assert "  k          Cancel every lane of the run at the same instant" in told
    assert keymap.for_textual()["live.replay"] == "P,shift+p"
    assert DEFAULT.shown(BY_ID["live.cancel_all"]) == "c"


def test_the_help_has_each_heading_once() -> None:
    told = ["".join(text for text, _ in line) for line in help_lines("live")]
    headings = [line for line in told if line and not line.startswith(" ")]
    assert len(headings) == len(set(headings))


def test_keys_can_be_swapped() -> None:
    parse('[live]\ncancel_all = "f"\nfaults = "c"\n', "mine.toml")


def test_escape_stays_where_it_was() -> None:
    keymap = parse('[replay]\nleave = "x"\n', "mine.toml")
    assert keymap.keys(BY_ID["replay.leave"]) == ("x", "escape")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '[live]\n\ncancel_al = "k"\n',
            "mine.toml, line 3: [live] has no action 'cancel_al': did you mean",
        ),
        ('[replay]\ncancel_all = "k"\n', "line 2: [replay] has no action 'cancel_all': it belongs into [live]"),
        ('[life]\ncancel_all = "k"\n', "line 2: there is no section [life]: they are"),
        ('cancel_all = "k"\n', "stands in no section: write it under one, like [live]"),
        ('[live]\ncancel_all = "strl+k"\n', "line 2: there is no key 'strl+k': write"),
        ("[live]\ncancel_all = 3\n", "line 2: 3 is no key: write"),
        ("[live]\ncancel_all = []\n", "line 2: 'cancel_all' has no key: leave the line out to keep 'c'"),
        ('[live]\ncancel_all = "esc"\n', "escape closes dialogs and cannot be given to 'cancel_all'"),
        ('[live]\ncancel_all = "ctrl+q"\n', "ctrl+q is the terminal's or the palette's: choose another key"),
        (
            '[live]\ncancel_all = "s"\n',
            "line 2: s is given twice, to 'cancel_all' and to 'scenarios' of [live]: ",
        ),
        ('[main]\nhelp = "c"\n', "line 2: c is given twice, to 'help' and to 'cancel_all' of [live]"),
        ('[scenarios]\n"load" = "a"\n', "letters are typed there: choose a key like f5 or ctrl+k for 'load'"),
        ("[live\n", "mine.toml: Expected"),
    ],
)
def test_what_may_not_be_said_is_answered_in_one_line(text: str, words: str) -> None:
    with pytest.raises(KeymapError) as caught:
        parse(text, "mine.toml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli._need_terminal", lambda: None)
    bad = tmp_path / "keys.toml"
    for prepare in (lambda: None, lambda: bad.write_bytes(b"\xff"), lambda: bad.write_text("[live]\nstart = 'esc'\n")):
        prepare()
        assert main(["one-scope", "--keymap", str(bad)]) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"cancelloscope: {bad}")
        assert told.count("\n") == 1


def test_without_a_file_of_ones_own_the_keys_are_the_shipped_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.keymap.user_file", lambda: tmp_path / "keymap.toml")
    assert load() is DEFAULT
    (tmp_path / "keymap.toml").write_text('[live]\ncancel_all = "k"\n')
    assert load().shown(BY_ID["live.cancel_all"]) == "k"
