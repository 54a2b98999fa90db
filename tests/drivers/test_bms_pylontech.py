"""Pylontech replies beyond the recorded ones: places of the alarm reply, protections, what does not fit."""

import pytest

from drivers.bms.pylontech import ALARM, ANALOG, MANAGEMENT, PYLONTECH, SERIAL
from drivers.flags import ALARMS
from gateway.errors import FrameError
from tests.drivers.bms_frames import cases

FIFTEEN = bytes(15)


def alarms(*, cells=FIFTEEN, sensors=bytes(5), currents=bytes(3), status=bytes(5)):
    data = b"\x11\x02" + bytes([len(cells)]) + cells + bytes([len(sensors)]) + sensors + currents + status
    found = PYLONTECH.decode(ALARM, data)["battery_alarms_flags"]
    return {name for name, bit in ALARMS.items() if found >> bit & 1}


def test_nothing_stands():
    assert alarms() == set()


@pytest.mark.parametrize(
    ("changed", "raised"),
    [
        ({"cells": b"\x01" + bytes(14)}, {"under_volt_warning"}),
        ({"cells": bytes(14) + b"\x02"}, {"over_volt_warning"}),
        ({"cells": b"\xf0" + bytes(14)}, {"other_alarm"}),
        ({"sensors": b"\x01\x02"}, {"under_temp_warning", "over_temp_warning"}),
        ({"currents": b"\x02\x00\x00"}, {"over_charge_current_warning"}),
        ({"currents": b"\x00\x01\x00"}, {"under_volt_warning"}),
        ({"currents": b"\x00\x00\x02"}, {"over_discharge_current_warning"}),
        ({"status": b"\x01" + bytes(4)}, {"over_volt_alarm"}),
        ({"status": b"\x82" + bytes(4)}, {"under_volt_alarm"}),
        ({"status": b"\x14" + bytes(4)}, {"over_charge_current_alarm", "over_discharge_current_alarm"}),
        ({"status": b"\x60" + bytes(4)}, {"over_temp_alarm"}),
        ({"status": b"\x02\x0e" + bytes(4)}, {"under_volt_alarm"}),  # six bytes, as a US2000C has them
        ({"status": b"\x08\x06\xc0\x00\x00"}, set()),  # switches closed, current flowing: no alarms
    ],
)
def test_what_stands(changed, raised):
    assert alarms(**changed) == raised


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (ANALOG, b""),
        (ANALOG, b"\x11\x02\x00\x00" + bytes(11)),  # no cells
        (ANALOG, b"\x11\x02\x19" + bytes(80)),  # 25 cells
        (ALARM, b"\x11\x02\x00\x00" + bytes(8)),
        (ALARM, b"\x11\x02\x0f" + bytes(15) + b"\x05" + bytes(5 + 3 + 4)),
        (ALARM, b"\x11\x02\x0f" + bytes(15) + b"\x05" + bytes(5 + 3 + 7)),
        (MANAGEMENT, bytes(9)),
        (MANAGEMENT, bytes(11)),
        (SERIAL, bytes(16)),
    ],
)
def test_what_does_not_fit(kind, data):
    with pytest.raises(FrameError):
        PYLONTECH.decode(kind, data)


def test_no_reply_passes_for_another():
    """They do not say what they answer: lengths must tell them apart."""
    for case in cases():
        if case.family is PYLONTECH:
            for reply in case.replies:
                (frame,) = reply.session().feed(reply.raw)
                for kind in {ANALOG, ALARM, MANAGEMENT, SERIAL} - {reply.request.kind}:
                    with pytest.raises(FrameError):
                        PYLONTECH.decode(kind, frame.data)


def test_without_a_capacity_there_is_no_state_of_charge():
    data = b"\x11\x02\x01\x0c\xe4\x02\x0b\x9d\x0b\x7a\x00\x00\xc2\x8e\x00\x00\x02\x00\x00\x00\x05"
    told = PYLONTECH.decode(ANALOG, data)
    assert "battery_soc_bp" not in told
    assert told["battery_cycles_count"] == 5


def test_the_serial_number_is_text():
    assert PYLONTECH.texts(SERIAL, b"\x02PPTAP01709304012") == {"serial": "PPTAP01709304012"}
    assert PYLONTECH.decode(SERIAL, b"\x02PPTAP01709304012") == {}
