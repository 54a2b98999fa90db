"""The plan of a SunSpec device without the device: requests, notes, and the time they take on a wire."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus import driver as modbus
from drivers.modbus.url import parse
from drivers.sunspec.driver import SLOW_MS
from drivers.sunspec.mapping import ROLE_MODELS, ROLE_NEEDS
from drivers.sunspec.models import layout
from drivers.sunspec.offline import TCP_MS, TYPICAL, plan, request_ms
from gateway.driver import Plan
from gateway.model import CommandClass
from gateway.site import Device
from tests.drivers.test_sunspec_binding import profile

RTU = "rtu:///dev/ttyS0?baud=9600"


def planned(role: str = "inverter", link: str = "tcp://host", control: bool = True, **options: Any) -> Plan:
    stated = profile(role, **options)
    return plan(Device("inv", "sunspec", "sunspec", role, link, stated, control=control), stated)


@pytest.mark.parametrize("role", TYPICAL)
def test_the_typical_chain_is_one_that_the_definitions_and_the_role_allow(role: str) -> None:
    models = [model for model, _ in TYPICAL[role]]
    assert models[0] == 1 and len(models) == len(set(models))
    assert set(models) & set(ROLE_NEEDS[role])
    for model, length in TYPICAL[role]:
        known = layout(model, length)
        assert known is not None and known.fields
        assert max(field.offset + field.registers for field in known.fields) == length + 2, model
    assert set(models) & ROLE_MODELS[role]


@pytest.mark.parametrize("role", TYPICAL)
def test_the_requests_are_in_order_apart_and_of_a_size_that_modbus_has(role: str) -> None:
    end = 40002
    for line in planned(role).lines:
        span, _, models = line.text.removeprefix("holding ").partition(": models ")
        first, last = map(int, span.split(".."))
        assert end <= first and last - first < 125
        assert set(map(int, models.split(", "))) <= {model for model, _ in TYPICAL[role]}
        end = last + 1
    assert end > 40002


@pytest.mark.parametrize("role", TYPICAL)
def test_evidence_is_read_in_each_cycle_and_people_s_points_come_after_it(role: str) -> None:
    made = planned(role)
    evidence = [point.evidence for point in made.points]
    assert evidence == sorted(evidence, reverse=True)
    assert sum(line.points for line in made.lines) == sum(evidence) > 0
    assert {point.device for point in made.points} == {"inv"}
    assert len({point.key for point in made.points}) == len(made.points)


@pytest.mark.parametrize("role", TYPICAL)
def test_the_first_note_says_that_this_is_not_the_device(role: str) -> None:
    note = planned(role).notes[0]
    assert "found at connect" in note
    assert note.endswith("a chain of " + ", ".join(str(model) for model, _ in TYPICAL[role]))


def test_the_rare_reads_are_no_part_of_a_cycle_and_are_said() -> None:
    made = planned(link=RTU)
    note = next(note for note in made.notes if note.startswith(f"every {SLOW_MS // 1000} s 1 more read "))
    assert 0 < float(note.split()[-2]) < made.bus_ms
    assert not any("more read" in note for note in planned("meter").notes)


def test_options_reach_the_points() -> None:
    def has(name: str, *args: Any, **options: Any) -> bool:
        return name in {point.name for point in planned(*args, **options).points}

    assert has("battery_power_w", battery_dc="160-34") and not has("battery_power_w", battery_dc="none")
    assert not has("battery_power_w", "battery")
    assert has("battery_power_w", "battery", bank_positive="charge")


def test_the_plan_states_the_setpoint_as_far_as_the_profile_does() -> None:
    made = planned(setpoint="auto", charge_max_w=4000, discharge_max_w=5000, timeout_s=90)
    assert made.setpoint is not None
    assert made.setpoint.command_class is CommandClass.SELF_EXPIRING
    assert (made.setpoint.charge_max_w, made.setpoint.discharge_max_w) == (4000, 5000)
    assert (made.setpoint.timeout_s, made.setpoint.refresh_s) == (90, 30)
    assert made.notes[-1] == "setpoint by model 704 or 124, whichever the device has"


@pytest.mark.parametrize(
    ("role", "control", "setpoint"),
    [
        ("inverter", False, "auto"),
        ("inverter", True, "none"),
        ("meter", True, "auto"),
        ("battery", True, "124"),
    ],
)
def test_what_is_not_commanded_has_no_setpoint(role: str, control: bool, setpoint: str) -> None:
    made = planned(role, control=control, setpoint=setpoint)
    assert made.setpoint is None and not any("setpoint" in note for note in made.notes)


# -- time on the wire -----------------------------------------------------------------------------


def test_over_tcp_each_request_costs_the_same() -> None:
    assert request_ms("tcp://host", 2) == request_ms("tcp://host:1502", 125) == TCP_MS
    assert request_ms("tcp://host?gap=20", 125) == TCP_MS + 20
    made = planned()
    assert made.bus_ms == pytest.approx(TCP_MS * len(made.lines))


def test_on_a_serial_line_each_character_costs() -> None:
    # 8 + 5 + 250 characters of 11 bits, two silences of 3.5 characters, 2 ms turn-round
    assert request_ms(RTU, 125) == pytest.approx(270 * 11 / 9.6 + 2)
    assert request_ms("rtutcp://host:4001?baud=115200", 125) == pytest.approx(263 * 11 / 115.2 + 2 * 1.75 + 2)
    assert request_ms(f"{RTU}&gap=50", 1) == pytest.approx(18.5 * 11 / 9.6 + 50 + 2)
    assert planned(link=RTU).bus_ms > 10 * planned().bus_ms


@given(
    st.sampled_from(["rtu:///dev/ttyS0?parity=E&", "rtutcp://host:4001?settle=100&"]),
    st.one_of(st.none(), st.integers(300, 921_600)),
    st.one_of(st.none(), st.integers(0, 5000)),
    st.integers(1, 125),
)
def test_both_protocol_packages_reckon_alike_on_one_wire(
    start: str, baud: int | None, gap: int | None, registers: int
) -> None:
    options = [f"{name}={n}" for name, n in (("baud", baud), ("gap", gap)) if n is not None]
    link = start + "&".join(options)
    assert request_ms(link, registers) == pytest.approx(
        modbus.request_ms(parse(link.rstrip("&?")), registers)
    )


@pytest.mark.parametrize(
    "options", ["", "?baud=fast", "?baud=0", "?baud=", "?baud=-9600", "?baud=²", "?gap=x"]
)
def test_what_is_no_number_counts_as_not_said(options: str) -> None:
    assert request_ms(f"rtu:///dev/ttyS0{options}", 10) == request_ms(RTU, 10)
