"""bleak's failures and its waits, as LinkErrors with an end."""

import asyncio

import pytest
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakError,
)
from dbus_fast.errors import AuthError, DBusError

from drivers.ble.radio import CLEAN_S, trouble, within
from gateway.errors import LinkError
from tests.sim.loop import run


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (BleakError("device gone"), "here: device gone"),
        (BleakError("two\nlines"), "here: two"),
        (BleakError(), "here: BleakError"),
        (
            BleakDBusError("org.bluez.Error.InProgress", ["Operation already in progress"]),
            "another program uses",
        ),
        (BleakDBusError("org.freedesktop.DBus.Error.AccessDenied", ["Rejected"]), "systemd/bluetooth.conf"),
        (BleakDBusError("org.freedesktop.DBus.Error.AccessDenied", ["x" * 900]), "x.{0,70} .*bluetooth.conf"),
        (ConnectionResetError(104, "Connection reset by peer"), "see systemd/bluetooth.conf"),
        (EOFError(), "see systemd/bluetooth.conf"),
        (BleakDBusError("org.freedesktop.DBus.Error.ServiceUnknown", []), "start bluetooth.service"),
        (
            BleakBluetoothNotAvailableError("No rights", BleakBluetoothNotAvailableReason.DENIED_BY_SYSTEM),
            "here: No rights$",
        ),
        (BleakError("adapter 'hci0' not found"), "write .adapter=hci1 in the link"),
        (BleakDBusError("org.bluez.Error.NotReady", ["Resource Not Ready"]), "bluetoothctl power on"),
        (FileNotFoundError(2, "No such file or directory"), "No such file or directory \\(D-Bus does"),
        (AssertionError(), "here: AssertionError"),
        (AuthError("refused"), "here: refused"),
        (DBusError("org.freedesktop.DBus.Error.NoReply", "no reply"), "here: no reply"),
    ],
)
def test_what_goes_wrong_in_bluetooth_is_told_in_one_line(error, says):
    with pytest.raises(LinkError, match=says) as told, trouble("here"):
        raise error
    assert "\n" not in str(told.value) and len(str(told.value)) < 220


@pytest.mark.parametrize("bug", [KeyError("x"), TypeError("x"), asyncio.CancelledError()])
def test_a_bug_stays_a_bug(bug):
    with pytest.raises(type(bug)), trouble("here"):
        raise bug


@pytest.mark.parametrize(("tidies_s", "ends_s"), [(0, 3), (2, 5), (3600, 3 + CLEAN_S)])
def test_a_wait_ends_and_so_does_what_follows_it(tidies_s, ends_s):
    async def main(clock):
        async def waits():
            async with within(3, "no answer"):
                try:
                    await asyncio.sleep(3600)
                finally:
                    await asyncio.sleep(tidies_s)

        with pytest.raises(LinkError, match="no answer within 3 s"):
            await waits()
        assert clock.mono_ms() == ends_s * 1000

    run(main)


def test_who_is_cancelled_from_outside_stays_cancelled():
    async def main(_clock):
        async def waits():
            async with within(3, "no answer"):
                await asyncio.sleep(3600)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(waits())
            await asyncio.sleep(1)
            task.cancel()
        assert task.cancelled()

    run(main)
