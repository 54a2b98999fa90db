# ruff: noqa: E501 - messages are compared whole
"""site.yaml as a technician writes it, right and wrong: what comes out, and where messages point."""

import pickle

import pytest

from gateway import config, profilefile
from gateway.driver import find_plugins
from gateway.errors import ConfigError
from gateway.site import KeySettings, Keystore
from tests.plugin import MockPlugin

GOOD = """\
site:
  id: meadow-lane-7
  limits: {charge: 5 kW, discharge: 4 kW, grid import: 17 kW, grid export: 5 kW, ramp: 2 kW/s}
  soc: {min: 10 %, max: 95 %}
devices:
  inverter: {profile: mock, link: "mock://a", poll: 500 ms}
  second: {profile: mock, link: "mock://b", control: false, timer: 60 s}
store: {path: here/store.db, keep: 30 d, size: 2 GiB, commit: 2 s}
attest: {every: 15 min, key: key.json}
chain:
  id: 10
  rpc: ["http://one.example", "https://two.example"]
  platform: storage
  storage: 7
  contracts:
    verification: "0x00000000000000000000000000000000000000a1"
    services: "0x00000000000000000000000000000000000000a2"
  fee cap: 50 gwei
mqtt: {url: "mqtts://broker.example", password: secret}
clock: {trust: host}
remote: {signers: ["0x00000000000000000000000000000000000000A3"]}
schedule:
  night: {at: "02:30", for: 3 h, service: fixed-power, with: {power: -3 kW}, days: [mon, sun], share: true}
"""


@pytest.fixture
def load(tmp_path):
    profiles = tmp_path / "profiles"
    profiles.mkdir()
    plugins = {"mock": MockPlugin(profiles)}
    path = tmp_path / "site.yaml"

    def loader(text, **files):
        path.write_text(text)
        for name, content in files.items():
            (tmp_path / f"{name}.yaml").write_text(content)
        return config.load(path, plugins)

    return loader


@pytest.fixture
def wrong(load, tmp_path):
    def messages(text, **files):
        with pytest.raises(ConfigError) as caught:
            load(text, **files)
        return [str(p).replace(f"{tmp_path}/", "") for p in caught.value.problems]

    return messages


def test_a_digest_is_of_what_a_file_says_not_of_how_it_says_it(load):
    site = load(GOOD)
    again = load("# a comment\n" + GOOD)
    assert len({device.profile_digest for device in site.devices} | {bytes(32)}) > 1
    assert [d.profile_digest for d in site.devices] == [d.profile_digest for d in again.devices]


def test_a_good_file_becomes_a_site_in_canonical_units(load, tmp_path):
    site = load(GOOD)
    assert (site.id, site.limits.charge_w, site.limits.discharge_w) == ("meadow-lane-7", 5000, 4000)
    assert (site.limits.import_w, site.limits.export_w, site.limits.ramp_w_per_s) == (17_000, 5000, 2000)
    assert (site.limits.soc_min_bp, site.limits.soc_max_bp) == (1000, 9500)
    first, second = site.devices
    assert (first.name, first.kind, first.role, first.poll_ms, first.control) == (
        "inverter", "mock", "inverter", 500, True,
    )  # fmt: skip
    assert (second.control, second.timer_s) == (False, 60)
    assert site.store.path == tmp_path / "here/store.db"
    assert (site.store.keep_s, site.store.size_bytes, site.store.commit_ms) == (30 * 86400, 2**31, 2000)
    assert site.attest.every_s == 900
    assert site.attest.key == KeySettings(Keystore(tmp_path / "key.json"))
    assert site.chain.fee_cap_wei == 50 * 10**9
    assert (site.mqtt.host, site.mqtt.port, site.mqtt.tls) == ("broker.example", 8883, True)
    assert site.trust_host_clock
    assert site.signers == {"0x00000000000000000000000000000000000000a3"}
    (night,) = site.schedule
    assert (night.name, night.at_min, night.duration_s, night.shared) == ("night", 150, 10_800, True)
    assert (night.kind, night.parameters, night.days) == ("fixed-power", {"power_w": -3000}, {0, 6})
    assert (site.timezone, site.batteries, site.loads) == ("UTC", (), ())


def test_all_errors_of_a_file_come_at_once_with_their_places(wrong):
    text = GOOD.replace("grid import: 17 kW", "grid imprt: 17").replace("charge: 5 kW", "charge: 5 kv")
    text = text.replace("id: 10", "id: ten").replace("keep: 30 d", "keep: 30 days")
    assert wrong(text) == [
        "site.yaml:3:3: 'grid import' is missing",
        "site.yaml:3:12: '5 kv' has the unknown unit 'kv': write it like \"10 W\" (units: W, kW, MW)",
        "site.yaml:3:43: unknown key 'grid imprt' (did you mean 'grid import'?)",
        "site.yaml:8:30: '30 days' has the unknown unit 'days': did you mean \"30 d\"?"
        " (units: ms, s, min, h, d, weeks)",
        "site.yaml:11:3: id: must be a whole number, not 'ten'",
    ]


def test_profiles_and_links_are_looked_at_in_a_file_that_is_wrong_elsewhere(wrong):
    text = GOOD.replace("charge: 5 kW", "charge: 5").replace("profile: mock,", "profile: mokc,", 1)
    said = wrong(text.replace("mock://b", "tcp://b").replace("  second", "  Second"))
    assert [problem.split(":")[1:3] for problem in said] == [
        ["3", "12"],
        ["6", "14"],
        ["7", "3"],
        ["7", "27"],
    ]
    assert "did you mean 'mock'?" in said[1]


@pytest.mark.parametrize(
    "devices", ["3", "[a]", "{a: 3}", "{a: {profile: 7, link: x}}", "{7: {profile: mokc}}"]
)
def test_devices_that_are_none_are_told_once(wrong, devices):
    assert len(wrong(f"site: 3\ndevices: {devices}\n")) >= 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("profile: mock, link: \"mock://a\"", "profile: mokc, link: \"mock://a\""),
         "site.yaml:6:14: there is no profile 'mokc', neither installed nor as mokc.yaml beside site.yaml;"
         " did you mean 'mock'?"),
        (("mock://a", "tcp://a"), "site.yaml:6:29: mock needs a link of mock, other, not 'tcp://a'"),
        (("  second", "  record"), "site.yaml:7:3: 'record' is no name for a device: the site itself has it"),
        (("  second", "  Second"), "site.yaml:7:3: 'Second': a device name is a-z, 0-9, - and _, at most 32"),
        (("mock://b", "mock://a?gap=5"), "site.yaml:7:27: 'mock://a?gap=5' and 'mock://a' of 'inverter' are one"
         " wire: write both the same"),
        (("charge: 5 kW", "charge: 6 kW"), "site.yaml:3:12: charge limit 6000 W is above the 5000 W of inverter"
         " (lower it to the nameplate)"),
        (("min: 10 %", "min: 94 %"), "site.yaml:4:3: min and max leave no room for the hysteresis between them"),
        ((", key: key.json", ""), "site.yaml:10:1: a chain needs attest: {key: …}; make it with"
         " `gridseal keys new`"),
        (("https://two.example", "http://one.example"), "site.yaml:12:3: the same endpoint is named twice:"
         " two operators are needed, so that one cannot lie"),
        (("http://one", "ftp://one"), "site.yaml:12:3: 'ftp://one.example' is not an http(s) URL"),
        (("0000a1", "0000zz"), "site.yaml:16:5: '0x000000000000000000000000000000000000"
         "00zz' is not an address (0x and 40 hex digits, in quotes)"),
        (("mock://a", "mock://["), "site.yaml:6:29: 'mock://[' is not a URL: Invalid IPv6 URL"),
        (("power: -3 kW", "powr: -3 kW"), "site.yaml:23:3: fixed-power has no 'powr'; did you mean 'power'?"),
        (("service: fixed-power", "service: stop"), "site.yaml:23:3: a stop cannot be scheduled: nothing but a"
         " person would end it"),
        (("service: fixed-power", "service: island"), "site.yaml:23:3: island cannot be scheduled: the grid"
         " connection is decided by order alone"),
        (("for: 3 h", "for: 25 h"), "site.yaml:23:24: '25 h' is out of range: at least 1 s, at most 1 d"),
        (("id: meadow-lane-7", "timezone: Mars/Base\n  id: meadow-lane-7"), "site.yaml:2:3: there is no time zone"
         " 'Mars/Base': write it like Europe/Berlin"),
        (("mqtts://broker", "mqtts://me:pw@broker"), "site.yaml:19:8: 'mqtts://me:pw@broker.example' is not"
         " mqtt://host:port or mqtts://host:port (no user in it)"),
    ],
)  # fmt: skip
def test_each_mistake_says_what_to_do(wrong, change, said):
    assert wrong(GOOD.replace(*change, 1)) == [said]


def test_islanding_is_refused_unless_it_is_allowed_and_one_inverter_is_commanded(load, wrong):
    assert not load(GOOD).islanding
    allowed = GOOD.replace("  id: meadow-lane-7", "  id: meadow-lane-7\n  islanding: allowed", 1)
    assert load(allowed).islanding
    nobody = allowed.replace("poll: 500 ms", "poll: 500 ms, control: false")
    said = "site.yaml:3:3: an island needs exactly one commanded inverter: there are 0"
    assert said in wrong(nobody)


def test_what_limits_a_battery_is_heard_often_enough(load, wrong):
    meter = '  meter: {profile: meter, link: "mock://c", control: false, poll: %s}'
    profile = "driver: mock\nrole: %s\nvendor: V\nmodel: M\nsources: [s]\nproof: simulated\n"
    slow = GOOD.replace("store:", meter % "10 s" + "\nstore:")
    assert wrong(slow, meter=profile % "meter") == [
        "site.yaml:8:61: what is older than 5 s is unknown: poll it each 4 s or oftener"
    ]
    assert load(GOOD.replace("store:", meter % "4 s" + "\nstore:"), meter=profile % "meter")
    sun = GOOD.replace("control: false, timer: 60 s", "control: false, poll: 1 min")  # nothing hangs on it
    assert load(sun)
    assert load(slow.replace("poll: 500 ms", "control: false"), meter=profile % "meter")  # only watched


TWO = GOOD.replace(
    """  second: {profile: mock, link: "mock://b", control: false, timer: 60 s}
""",
    """  second: {profile: mock, link: "mock://b"}
  bms: {profile: cells, link: "mock://c", control: false, of: inverter}
  bms2: {profile: cells, link: "mock://d", control: false, of: second}
""",
)


def cells():
    from tests.plugin import PROFILE

    return PROFILE.replace("role: inverter", "role: battery")


def test_with_two_inverters_each_battery_says_which_it_hangs_on(load):
    site = load(TWO, cells=cells())
    assert site.batteries == (frozenset({"inverter", "bms"}), frozenset({"second", "bms2"}))
    assert site.battery_of("second") == {"second", "bms2"}
    assert load(GOOD).battery_of("inverter") == {"inverter", "second"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((", of: inverter", ""), "site.yaml:8:3: say which inverter this battery hangs on: `of: inverter` (or"
         " second)"),
        (("of: second", "of: third"), "site.yaml:9:60: there is no inverter 'third'; inverters here: inverter,"
         " second"),
        (('"mock://b"}', '"mock://b", of: inverter}'), "site.yaml:7:45: second is no battery (its profile says"
         " inverter): leave out `of`"),
        (("charge: 5 kW", "charge: 11 kW"), "site.yaml:3:12: charge limit 11.00 kW is above the 10.00 kW of"
         " inverter and second (lower it to the nameplate)"),
    ],
)  # fmt: skip
def test_wrong_batteries_are_told(wrong, change, said):
    assert wrong(TWO.replace(*change, 1), cells=cells()) == [said]


def test_a_profile_beside_site_yaml_wins_and_its_errors_are_in_its_own_file(load, wrong):
    from tests.plugin import PROFILE

    bigger = PROFILE + "nameplate_w: 9000\n"
    assert load(GOOD, mock=bigger).devices[0].profile.nameplate_w == 9000
    assert wrong(GOOD, mock=bigger + "nameplat: 1\n")[0] == (
        "mock.yaml:8:1: unknown key 'nameplat' (did you mean 'nameplate_w'?)"
    )
    assert wrong(GOOD, mock="driver: telepathy\n")[0] == (
        "mock.yaml:1:1: driver 'telepathy' is not installed (installed: mock)"
    )


LOADS = """\
site: {id: x, limits: {charge: 5 kW, discharge: 5 kW, grid import: 9 kW, grid export: 9 kW}}
devices:
  pins: {profile: gpio_relays, link: "gpio:///dev/gpiochip0"}
loads:
  boiler: {relay: pins/1, power: 2 kW, priority: 2, min on: 5 min}
"""


@pytest.mark.parametrize(
    "relays",
    [
        '{profile: gpio_relays, link: "gpio:///dev/gpiochip0"}',
        '{profile: waveshare_relay_8ch, link: "rtu:///dev/ttyUSB0?baud=9600"}',
    ],
)
def test_loads_hang_on_relays(tmp_path, relays):
    first, _, rest = LOADS.partition("  pins: ")
    (tmp_path / "site.yaml").write_text(f"{first}  pins: {relays}\n{rest.partition(chr(10))[2]}")
    (boiler,) = config.load(tmp_path / "site.yaml").loads
    assert (boiler.device, boiler.channel, boiler.power_w, boiler.priority) == ("pins", "1", 2000, 2)
    assert (boiler.min_on_ms, boiler.min_off_ms) == (300_000, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("pins/1", "relays/1"), "5:12: there is no relay device 'relays'; here: pins"),
        (("pins/1", "pins/9"), "5:12: pins has no relay '9'; it has: 1, 2, 3"),
        (
            ("loads:\n", "loads:\n  pump: {relay: pins/1, power: 1 kW}\n"),
            "6:12: pins/1 switches pump already",
        ),
    ],
)
def test_a_load_on_no_relay_of_its_own_is_told(tmp_path, change, said):
    (tmp_path / "site.yaml").write_text(LOADS.replace(*change))
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path / "site.yaml")
    assert [str(p).partition("site.yaml:")[2] for p in caught.value.problems] == [said]


def test_installed_drivers_and_profiles_load():
    """Every profile that ships is valid; the driver families are those of pyproject.toml."""
    from pathlib import Path

    plugins = find_plugins()
    assert set(plugins) >= {"modbus", "sunspec", "can"}
    names = [e.name[:-5] for e in plugins["modbus"].profiles.iterdir() if e.name.endswith(".yaml")]
    assert len(names) >= 6
    for name in names:
        plugin, profile = profilefile.load(name, Path("/nonexistent"), plugins)
        assert profile.driver == plugin.kind
        sent = pickle.dumps(table := profile.table())
        assert pickle.loads(sent) == table and b"pydantic" not in sent


def test_an_adapter_at_another_bit_rate_than_the_device_is_told_with_all_else(tmp_path):
    shipped = find_plugins()["can"].profiles
    text = (shipped / "pylontech_can.yaml").read_text()
    (tmp_path / "slow.yaml").write_text(text.replace("bitrate: 500000", "bitrate: 250000"))
    (tmp_path / "pylontech_can.dbc").write_text((shipped / "pylontech_can.dbc").read_text())
    pins = LOADS.partition("  pins")[0]
    (tmp_path / "site.yaml").write_text(
        f'{pins}  bms: {{profile: slow, link: "slcan:///dev/ttyACM0"}}\n'
        '  meter: {profile: sunspec_meter, link: "tcp://meter:70000"}\n'
    )
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path / "site.yaml")
    rate, port = (str(p).partition("site.yaml:")[2] for p in caught.value.problems)
    assert rate.startswith("3:24: link 'slcan:///dev/ttyACM0': it runs at 500000 bit/s, but slow says 250000")
    assert port.startswith("4:35: ") and "port must be 1 to 65535" in port


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("sunspec_meter", "sunspec_meter", "this is one again: sunspec_meter at unit 1 on the same link"),
        ("sunspec_meter", "sunspec_meter, unit: 2", ""),
        ("sunspec_meter", "sunspec_battery", ""),
        ("jbd_serial", "jbd_serial, unit: 2", "this is one again: jbd at address 0 on the same link"),
        ("jbd_serial", "jk_serial", ""),
        ("daly_serial", "daly_serial, unit: 2", ""),
        ("jbd_ble", "daly_ble", "this is one again: the device A4:C1:38:00:11:22 on the same link"),
    ],
)
def test_one_device_under_two_names_is_told_because_it_would_count_twice(tmp_path, first, second, said):
    links = {"sunspec_meter": "tcp://a", "jbd_ble": "ble://A4:C1:38:00:11:22"}
    link = links.get(first, "serial:///dev/a")
    site = GOOD.partition("devices:")[0] + "devices:\n"
    site += f'  one: {{profile: {first}, link: "{link}"}}\n  two: {{profile: {second}, link: "{link}"}}\n'
    (tmp_path / "site.yaml").write_text(site)
    found = ""
    try:
        config.load(tmp_path / "site.yaml")
    except ConfigError as caught:
        (problem,) = caught.problems
        found = str(problem).partition("site.yaml:7:3: ")[2]
    assert found.startswith(said) and bool(found) == bool(said)
