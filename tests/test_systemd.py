"""The unit files: understood by systemd, hardened, and still able to read the clock's state."""

import configparser
import subprocess
from pathlib import Path

import pytest

from gateway.fleet.process import ALIVE_S
from gateway.fleet.process import CHECK_S as RELAYER_CHECK_S
from gateway.onchain import CHECK_S
from gateway.store import OPEN_S_MAX
from tests.tools import need

FOLDER = Path(__file__).parent.parent / "systemd"
UNIT = FOLDER / "gridseal.service"
RELAYER = FOLDER / "gridseal-relayer.service"
EXPOSURE_MAX = 22  # tenths: systemd's own score of what a service could reach; a bare one has 92


@pytest.mark.parametrize("unit", [UNIT, RELAYER], ids=lambda path: path.stem)
def test_the_unit_is_hardened(unit):
    analyze = need("systemd-analyze")
    done = subprocess.run(
        [analyze, "security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE_MAX}", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout.splitlines()[-1:] + done.stderr.splitlines()[-3:]


@pytest.mark.parametrize("drop_in", sorted(FOLDER.glob("*.conf")), ids=lambda path: path.stem)
def test_what_a_site_drops_in_is_understood_and_leaves_it_hardened(drop_in, tmp_path):
    analyze = need("systemd-analyze")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text() + drop_in.read_text())
    done = subprocess.run(
        [analyze, "security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE_MAX}", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout.splitlines()[-1:]
    assert "Unknown" not in done.stderr and "Invalid" not in done.stderr


@pytest.mark.parametrize("unit", [UNIT, RELAYER], ids=lambda path: path.stem)
def test_nothing_keeps_it_from_seeing_whether_the_clock_is_synchronised(unit):
    """ProtectClock= denies adjtimex(2) altogether; then nothing would ever be signed, or sent."""
    text = unit.read_text()
    assert "ProtectClock=yes" not in text
    assert "SystemCallFilter=adjtimex clock_adjtime" in text


def test_systemd_is_told_when_it_is_ready_and_starts_it_again():
    unit = _read(UNIT)
    service = unit["Service"]
    assert (service["Type"], service["Restart"]) == ("notify", "always")
    assert unit["Unit"]["StartLimitIntervalSec"] == "0", "it is started for ever"
    assert int(service["WatchdogSec"]) >= 10  # ten control cycles of the slowest kind
    assert int(service["TimeoutStartSec"]) > OPEN_S_MAX + CHECK_S  # or a full check never ends
    assert int(service["TimeoutStopSec"]) > 20  # the fallback and the store each have ten seconds


def test_adapters_that_are_plugged_in_later_are_let_in():
    """DeviceAllow= by kind is resolved when the service starts: the kernel must know the kinds by then."""
    text = UNIT.read_text()
    for kind, module in (("ttyUSB", "usbserial"), ("ttyACM", "cdc_acm")):
        assert f"DeviceAllow=char-{kind} rw" in text
        for order in ("Wants", "After"):
            assert any(
                line.startswith(f"{order}=") and f"modprobe@{module}.service" in line
                for line in text.splitlines()
            )


def test_the_relayer_is_started_for_ever_and_watched():
    unit = _read(RELAYER)
    service = unit["Service"]
    assert (service["Type"], service["Restart"]) == ("notify", "always")
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert int(service["WatchdogSec"]) > 3 * ALIVE_S
    assert int(service["TimeoutStartSec"]) > OPEN_S_MAX + RELAYER_CHECK_S
    assert "AF_CAN" not in RELAYER.read_text() and "DeviceAllow" not in RELAYER.read_text()


def _read(path):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(path.read_text())
    return unit
