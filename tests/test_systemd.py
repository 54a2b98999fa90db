"""The unit file: understood by systemd, hardened, and still able to read the clock's state."""

import configparser
import subprocess
from pathlib import Path

from gateway.onchain import CHECK_S
from gateway.store import OPEN_S_MAX
from tests.tools import need

UNIT = Path(__file__).parent.parent / "systemd/gridseal.service"
EXPOSURE_MAX = 22  # tenths: systemd's own score of what a service could reach; a bare one has 92


def test_the_unit_is_hardened():
    analyze = need("systemd-analyze")
    done = subprocess.run(
        [analyze, "security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE_MAX}", str(UNIT)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout.splitlines()[-1:] + done.stderr.splitlines()[-3:]


def test_nothing_keeps_it_from_seeing_whether_the_clock_is_synchronised():
    """ProtectClock= denies adjtimex(2) altogether; then no record would ever be signed."""
    text = UNIT.read_text()
    assert "ProtectClock=yes" not in text
    assert "SystemCallFilter=adjtimex clock_adjtime" in text


def test_systemd_is_told_when_it_is_ready_and_starts_it_again():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    assert (service["Type"], service["Restart"]) == ("notify", "always")
    assert unit["Unit"]["StartLimitIntervalSec"] == "0", "it is started for ever"
    assert int(service["WatchdogSec"]) >= 10  # ten control cycles of the slowest kind
    assert int(service["TimeoutStartSec"]) > OPEN_S_MAX + CHECK_S  # or a full check never ends
    assert int(service["TimeoutStopSec"]) > 20  # the fallback and the store each have ten seconds
