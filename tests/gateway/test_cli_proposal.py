"""What a scan proposes: the best match, names that do not collide, addresses that stay."""

import yaml as pyyaml

from gateway.cli.proposal import Find, address_notes, by_id, mac_of, ranked, told, yaml
from gateway.recognising import Match

INVERTER = Match("sunspec", "inverter", 1, {"vendor": "Acme", "model": "X\n1", "serial": 'S"1'})
BATTERY = Match("sunspec_battery", "battery", 1, {})
OWN = Match("acme", "meter", 3, {})


def test_more_signs_go_first_then_the_role():
    assert ranked([BATTERY, INVERTER, OWN]) == [OWN, INVERTER, BATTERY]


def test_lines_can_be_pasted():
    finds = [
        Find("tcp://10.0.0.4", 1, [INVERTER]),
        Find("tcp://10.0.0.4", 2, [INVERTER]),
        Find("can://can0", matches=[BATTERY]),
        Find("tcp://10.0.0.9"),
    ]
    assert pyyaml.safe_load(yaml(finds))["devices"] == {
        "inverter": {"profile": "sunspec", "link": "tcp://10.0.0.4", "unit": 1, "serial": 'S"1'},
        "inverter2": {"profile": "sunspec", "link": "tcp://10.0.0.4", "unit": 2, "serial": 'S"1'},
        "bms": {"profile": "sunspec_battery", "link": "can://can0"},
    }
    assert yaml(finds[3:]) == ""


def test_what_is_told_draws_no_lines_of_its_own():
    lines = list(told(Find("tcp://10.0.0.4", 1, [INVERTER, BATTERY], ["a note"])))
    assert lines == [
        'tcp://10.0.0.4 unit 1: Acme X 1, serial number S"1: sunspec',
        "  it also fits sunspec_battery",
        "  a note",
    ]
    assert list(told(Find("tcp://10.0.0.4", 7))) == ["tcp://10.0.0.4 unit 7: answers, and fits no profile"]
    silent = Find("tcp://10.0.0.4", answers=False)
    assert list(told(silent)) == ["tcp://10.0.0.4: takes connections, and does not answer in Modbus"]


def test_a_serial_adapter_by_its_own_name(tmp_path):
    port, names = tmp_path / "ttyUSB3", tmp_path / "by-id"
    port.touch()
    names.mkdir()
    assert by_id(str(port), names) == str(port)
    (names / "usb-Acme_1").symlink_to(port)
    assert by_id(str(port), names) == str(names / "usb-Acme_1")
    assert by_id(str(port), tmp_path / "none") == str(port)


def test_the_mac_address_that_the_kernel_saw(tmp_path):
    table = tmp_path / "arp"
    table.write_text(
        "IP address  HW type  Flags  HW address         Mask  Device\n"
        "10.0.0.4    0x1      0x2    00:11:22:33:44:55  *     eth0\n"
        "10.0.0.5    0x1      0x0    00:00:00:00:00:00  *     eth0\n"
    )
    assert mac_of("tcp://10.0.0.4:1502", table) == "00:11:22:33:44:55"
    assert mac_of("tcp://10.0.0.5", table) == mac_of("tcp://10.0.0.6", table) == ""
    assert mac_of("tcp://10.0.0.4", tmp_path / "none") == ""


def test_how_an_address_is_kept():
    assert "reservation for 00:11" in " ".join(address_notes("tcp://a", {"serial": "1"}, "00:11"))
    assert "no serial number" in " ".join(address_notes("tcp://a", {}, ""))
    assert not list(address_notes("can://can0", {}, "")) and not list(
        address_notes("tcp://a", {"serial": "1"}, "")
    )
