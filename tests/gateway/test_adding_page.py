"""docs/adding-a-device.md is followed, with libmodbus as the unknown meter: its YAML and its verbs work."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from rig import libmodbus

from drivers.can.codec import Role, decode
from drivers.flags import ALARMS
from gateway import cli, profilefile
from gateway.driver import CanFrame, find_plugins
from tests.tools import missing

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-device.md").read_text()
YAML = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
BMS = re.search(r"```dbc\n(.*?)```.*?```yaml\n(.*?)```", PAGE, re.DOTALL)
SITE = """\
site:
  id: bench
  limits: {{charge: 1 kW, discharge: 1 kW, grid import: 10 kW, grid export: 5 kW}}
devices:
  meter: {{profile: bench_meter, link: "tcp://127.0.0.1:{port}", poll: 200 ms}}
store: {{path: store.db}}
socket: control.sock
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    try:
        program = libmodbus.build(tmp_path_factory.mktemp("libmodbus"))
    except libmodbus.Missing as what:
        missing(str(what))
    with subprocess.Popen([program, "tcp"], stdout=subprocess.PIPE, text=True) as peer:
        assert peer.stdout
        yield int(peer.stdout.readline())
        peer.kill()


def test_from_an_empty_folder_to_a_capture(port, tmp_path, capsys):
    def said(*words, code=0):
        assert cli.main(list(words)) == code
        return capsys.readouterr().out

    url, where = f"tcp://127.0.0.1:{port}", ("tcp", "127.0.0.1", "--port", str(port))
    assert "fits no profile" in said("scan", *where)
    for words in re.findall(r"gridseal raw tcp://192\.168\.1\.40 (\w+ \d+ \d+)", PAGE):
        table, address, _ = words.split()
        assert str((3 if table == "holding" else 5) * int(address)) in said("raw", url, *words.split())
    assert YAML
    (tmp_path / "bench_meter.yaml").write_text(YAML[1])
    site = tmp_path / "site.yaml"
    site.write_text(SITE.format(port=port))
    assert "no errors" in said("check", str(site))
    assert "profile: bench_meter" in said("scan", *where, "--site", str(site))
    points = json.loads(said("read", "--json", str(site), "meter"))["points"]
    assert {name: point["value"] for name, point in points.items()} == {
        "grid_power_w": 300,
        "grid_voltage_mv": 229_800,
        "grid_frequency_mhz": 49_950,
    }
    capture = str(tmp_path / "meter.jsonl")
    assert said("capture", str(site), "meter", "--for", "2 s", "--mask", "-o", capture)
    assert "readings are as recorded" in said("replay", capture)


def test_a_battery_with_a_dbc_is_two_files(tmp_path, capsys):
    assert BMS
    (tmp_path / "mybms.dbc").write_text(BMS[1])
    (tmp_path / "mybms.yaml").write_text(BMS[2])
    device = "bms: {{profile: mybms, link: can://can0}}"
    (tmp_path / "site.yaml").write_text(re.sub("meter: .*", device, SITE).format())
    assert cli.main(["check", str(tmp_path / "site.yaml")]) == 0
    assert "hear 0x100: battery_voltage_mv, battery_current_ma" in " ".join(capsys.readouterr().out.split())
    _, profile = profilefile.load("mybms", tmp_path, find_plugins())
    table = profile.table().codec
    told = decode(table, CanFrame(0x100, bytes.fromhex("001438FFB5D0070E"))).slots
    slots = {table.slots[index]: value for index, (value, _) in told.items()}
    assert {table.points[s.point]: v for s, v in slots.items() if s.role is not Role.GATE} == {
        "battery_voltage_mv": 51_200,
        "battery_current_ma": 20_000,
        "battery_soc_bp": 9_050,
        "charge_limit_ma": 200_000,
        "battery_alarms_flags": 1 << ALARMS["over_temp_alarm"],
    }


def test_a_slip_of_the_pen_is_told_with_its_place(tmp_path, capsys):
    assert YAML
    (tmp_path / "bench_meter.yaml").write_text(YAML[1].replace("scale: 100", "scal: 100"))
    (tmp_path / "site.yaml").write_text(SITE.format(port=1))
    assert cli.main(["check", str(tmp_path / "site.yaml")]) == 1
    assert re.search(
        r"bench_meter\.yaml:14:\d+: unknown key 'scal' \(did you mean 'scale'", capsys.readouterr().err
    )
