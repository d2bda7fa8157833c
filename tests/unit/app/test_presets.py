"""Sets of timeouts that are shipped, and files that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.presets import PresetError, read_presets, shipped
from app.settings import TIMEOUTS
from tests.kit import console_kit as kit


def test_the_shipped_ones_name_every_timeout() -> None:
    for preset in shipped():
        named = {(protocol, name) for protocol, values in preset.values.items() for name in values}
        assert named == {(protocol, name) for protocol, names in TIMEOUTS.items() for name in names}


def test_what_a_preset_does_not_name_is_left(tmp_path: Path) -> None:
    path = tmp_path / "presets.toml"
    path.write_text('[[presets]]\nname = "a"\nhelp = "b"\ngrpc = { deadline = "1s" }\n')
    (preset,) = read_presets(path)
    changed = preset.on(kit.settings())
    assert changed == kit.settings().with_timeout("grpc", "deadline", 1.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('grpc = { deadline = "1" }', "has no unit"),
        ('grpc = { dead = "1s" }', "preset 'a': grpc has no timeout 'dead'"),
        ('smtp = { deadline = "1s" }', "preset 'a': there is no protocol 'smtp'"),
        ('scope = { deadline = "0s" }', "preset 'a': deadline must be above 0, or none"),
        ("grpc = 3", "presets.toml"),
        ("grpc =", "presets.toml"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "presets.toml"
    path.write_text(f'[[presets]]\nname = "a"\nhelp = "b"\n{text}\n')
    with pytest.raises(PresetError, match=said) as caught:
        read_presets(path)
    assert "\n" not in str(caught.value)
