"""Serial ports whose names move: what is said of them, and what is proposed on this machine."""

import json
from pathlib import Path

import pytest

from gateway import cli
from gateway.cli import ports
from gateway.site import Device
from tests.gateway.cli_bench import write


def devices(*links: str) -> list[Device]:
    return [Device(f"d{n}", "p", "modbus", "meter", link, None) for n, link in enumerate(links)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "by-id"
    made.mkdir()
    (tmp_path / "ttyUSB0").touch()
    (made / "usb-FTDI_A1-if00-port0").symlink_to("../ttyUSB0")
    (made / "usb-Prolific-if00-port0").symlink_to("../ttyUSB7")
    return made


@pytest.mark.parametrize(
    "link", ["rtu:///dev/ttyUSB0?baud=9600", "serial:///dev/ttyUSB0", "slcan:///dev/ttyUSB0?bitrate=500000"]
)
def test_a_numbered_port_is_told_once_with_the_names_that_there_are(folder: Path, link: str) -> None:
    (note,) = ports.notes(devices(link, link), folder)
    assert note == (
        f"/dev/ttyUSB0 may be another adapter after the next start: write its name in {folder}; here are: "
        "usb-FTDI_A1-if00-port0, usb-Prolific-if00-port0"
    )


def test_its_own_name_is_proposed_where_it_is_plugged_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports.proposal, "by_id", lambda path, folder: f"{folder}/usb-FTDI_A1-if00-port0")
    (note,) = ports.notes(devices("rtu:///dev/ttyACM3"), folder)
    assert note.endswith(f"after the next start: write {folder}/usb-FTDI_A1-if00-port0")


def test_names_that_stay_and_hosts_are_not_told_of(folder: Path) -> None:
    stay = (
        "rtu:///dev/ttyAMA0",
        "serial:///dev/serial/by-id/usb-x",
        "tcp://h",
        "can://can0",
        "gpio:///dev/gpiochip0",
    )
    assert list(ports.notes(devices(*stay), folder)) == []


def test_without_such_names_there_is_still_a_hint(tmp_path: Path) -> None:
    (note,) = ports.notes(devices("rtu:///dev/ttyUSB1"), tmp_path / "gone")
    assert note.endswith(f"write its name in {tmp_path}/gone")


def test_check_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write(tmp_path, profile="huawei_luna2000", poll="4 s", link="rtu:///dev/ttyUSB0?baud=115200"))
    assert cli.main(["check", path]) == 0
    assert "note: /dev/ttyUSB0 may be another adapter" in " ".join(capsys.readouterr().out.split())
    assert cli.main(["check", "--json", path]) == 0
    assert "/dev/ttyUSB0 may be" in json.loads(capsys.readouterr().out)["notes"][0]
