"""Bluetooth link URLs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ble import PLUGIN
from drivers.ble.url import BleUrl, parse
from gateway.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "address", "adapter"),
    [
        ("ble://A4:C1:38:00:11:22", "A4:C1:38:00:11:22", "hci0"),
        ("ble://a4:c1:38:00:11:ff/", "A4:C1:38:00:11:FF", "hci0"),
        ("ble://A4:C1:38:00:11:22?adapter=hci1", "A4:C1:38:00:11:22", "hci1"),
    ],
)
def test_good_urls(url, address, adapter):
    assert parse(url) == BleUrl(url, address, adapter)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("tcp://x", "scheme must be ble"),
        ("ble://", "write the device's address"),
        ("ble://my-battery", "write the device's address"),
        ("ble:///A4:C1:38:00:11:22", "write the device's address"),
        ("ble://A4:C1:38:00:11", "write the device's address"),
        ("ble://A4:C1:38:00:11:22:33", "write the device's address"),
        ("ble://A4:C1:38:00:11:2G", "write the device's address"),
        ("ble://A4:C1:38:00:11:22/x", "write the device's address"),
        ("ble://A4:C1:38:00:11:22#x", "write the device's address"),
        ("ble://[A4:C1", "write it like ble://"),
        ("ble://A4:C1:38:00:11:22?adapter=", "a name like hci1"),
        ("ble://A4:C1:38:00:11:22?adapter=usb", "a name like hci1"),
        ("ble://A4:C1:38:00:11:22?adapter=hci0&adapter=hci1", "given twice"),
        ("ble://A4:C1:38:00:11:22?pair=1", "unknown option 'pair'"),
    ],
)
def test_bad_urls_say_what_to_write(url, says):
    with pytest.raises(ConfigError, match=says) as told:
        parse(url)
    assert "\n" not in str(told.value)


@given(st.text(max_size=40))
def test_any_text_is_a_url_or_a_config_error(text):
    for url in (text, f"ble://{text}", f"ble://A4:C1:38:00:11:22?{text}"):
        try:
            found = parse(url)
        except ConfigError:
            continue
        assert re.fullmatch("([0-9A-F]{2}:){5}[0-9A-F]{2}", found.address), url


def test_one_device_is_one_place_however_it_is_written_and_whichever_adapter_reaches_it():
    assert (
        PLUGIN.place("ble://a4:c1:38:00:11:22")
        == PLUGIN.place("ble://A4:C1:38:00:11:22?adapter=hci1")
        == "ble:A4:C1:38:00:11:22"
    )
