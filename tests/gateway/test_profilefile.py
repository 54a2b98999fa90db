"""Profiles as files: found, with what lies beside them taken in; nothing outside their folder is read."""

import os
import shutil
from pathlib import Path

import pytest

from drivers.modbus.profile import ModbusProfile
from gateway import capturefile, profilefile
from gateway.driver import find_plugins
from gateway.errors import ConfigError

SHIPPED = Path("drivers/profiles")
PLUGINS = find_plugins()
LINES = (SHIPPED / "byd_hv_can.yaml").read_text().split("\n")
PLACE = f"mine.yaml:{next(n for n, line in enumerate(LINES, 1) if line.startswith('dbc:'))}:1: "


def copied(folder: Path, *edits: tuple[str, str]) -> None:
    """The shipped BYD profile as a technician's own, edited."""
    text = (SHIPPED / "byd_hv_can.yaml").read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    (folder / "mine.yaml").write_text(text)
    shutil.copy(SHIPPED / "byd_hv_can.dbc", folder)


def refusal(folder: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        profilefile.load("mine", folder, PLUGINS)
    return str(refused.value)


def test_the_file_that_a_profile_names_is_part_of_what_it_says(tmp_path):
    copied(tmp_path)
    data = profilefile.find("mine", tmp_path, PLUGINS).data
    assert data["dbc"] == {"file": "byd_hv_can.dbc", "text": (SHIPPED / "byd_hv_can.dbc").read_text()}
    plugin, profile = profilefile.load("mine.yaml", tmp_path, PLUGINS)
    assert (plugin.kind, profile.role) == ("can", "battery")


def test_another_dbc_is_another_profile_and_comments_of_the_yaml_are_none(tmp_path):
    def digest() -> bytes:
        return profilefile.digest(profilefile.find("mine", tmp_path, PLUGINS).data)

    copied(tmp_path)
    before = digest()
    copied(tmp_path, ("driver: can", "driver: can  # of the second house"))
    assert digest() == before
    dbc = tmp_path / "byd_hv_can.dbc"
    text = dbc.read_bytes()
    dbc.write_bytes(text.replace(b"\n", b"\r\n"))
    assert digest() == before
    dbc.write_bytes(text.replace(b"(0.1,0)", b"(0.2,0)", 1))
    assert digest() != before


@pytest.mark.parametrize("key", sorted(ModbusProfile.model_fields))
def test_what_a_profile_says_of_itself_asks_for_no_new_commissioning(key):
    changed = profilefile.digest({"driver": "modbus", key: "other"}) != profilefile.digest(
        {"driver": "modbus"}
    )
    assert changed == (key not in {"also", "sources", "proof", "recorded", "enable", "notes", "recognise"})


def test_what_windows_tools_write_is_read(tmp_path):
    copied(tmp_path)
    dbc = tmp_path / "byd_hv_can.dbc"
    for encoding in ("latin-1", "utf-8", "utf-8-sig"):
        dbc.write_bytes((SHIPPED / "byd_hv_can.dbc").read_text().replace('"degC"', '"°C"').encode(encoding))
        _, profile = profilefile.load("mine", tmp_path, PLUGINS)
        assert "battery_temperature_cc" in profile.table().codec.points


@pytest.mark.parametrize(
    "name",
    ["../byd_hv_can.dbc", "/etc/byd_hv_can.dbc", "sub/byd_hv_can.dbc", ".dbc", "a\\b.dbc", "mine.yaml", "7"],
)
def test_a_path_is_no_name(tmp_path, name):
    copied(tmp_path, ("dbc: byd_hv_can.dbc", f"dbc: {name}"))
    said = refusal(tmp_path)
    assert said.endswith("is not the name of a .dbc file beside the profile") and PLACE in said


def test_a_file_that_is_not_there_not_readable_or_not_of_that_size_is_said_at_its_key(tmp_path):
    copied(tmp_path)
    dbc = tmp_path / "byd_hv_can.dbc"
    dbc.write_bytes(b"x" * (profilefile.BESIDE_MAX + 1))
    large = PLACE + "byd_hv_can.dbc is larger than 256 KiB: leave out what no point needs"
    assert refusal(tmp_path).endswith(large)
    dbc.unlink()
    assert refusal(tmp_path).endswith(PLACE + "there is no file byd_hv_can.dbc beside the profile")
    os.mkfifo(dbc)
    assert refusal(tmp_path).endswith(PLACE + "there is no file byd_hv_can.dbc beside the profile")
    dbc.unlink()
    dbc.mkdir()
    assert refusal(tmp_path).endswith(PLACE + "there is no file byd_hv_can.dbc beside the profile")


@pytest.mark.parametrize("said", ["{file: byd_hv_can.dbc, text: x}", "[byd_hv_can.dbc]", ""])
def test_nothing_but_a_name_stands_there(tmp_path, said):
    copied(tmp_path, ("dbc: byd_hv_can.dbc", f"dbc: {said}"))
    assert "is not the name of a .dbc file beside the profile" in refusal(tmp_path)


def test_a_profile_of_another_driver_may_have_such_a_key_for_itself(tmp_path):
    (tmp_path / "mine.yaml").write_text("driver: modbus\ndbc: ../x.dbc\n")
    assert "unknown key 'dbc'" in refusal(tmp_path)
    (tmp_path / "mine.yaml").write_text("driver: [can]\ndbc: ../x.dbc\n")
    assert "driver ['can'] is not installed" in refusal(tmp_path)
    (tmp_path / "mine.yaml").write_text("- can\n")
    assert "'driver' is missing" in refusal(tmp_path)


def test_the_largest_profile_with_the_largest_dbc_still_fits_a_capture():
    assert 2 * profilefile.BESIDE_MAX + 2 * 256 * 1024 <= capturefile.LINE_MAX


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (b"vendor: \xff", "mine.yaml:1:1: not UTF-8 text"),
        (b"a: [", "mine.yaml:1:5: not YAML"),
        (b"x" * 300_000, "mine.yaml: is larger than"),
        (b"", "mine.yaml:1:1: 'driver' is missing"),
    ],
)
def test_a_file_that_is_no_profile_is_told_by_its_name(tmp_path, said, wrong):
    (tmp_path / "mine.yaml").write_bytes(said)
    with pytest.raises(ConfigError, match=wrong):
        profilefile.load("mine", tmp_path, PLUGINS)
