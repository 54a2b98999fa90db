"""CAN link URLs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can import PLUGIN
from drivers.can.socketcan import SocketCanLink
from drivers.can.url import CanUrl, parse
from drivers.can.vbus import VbusLink
from gateway.clock import SystemClock
from gateway.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("can://can0", CanUrl("can://can0", "can", "can0")),
        ("vbus://bench-1", CanUrl("vbus://bench-1", "vbus", "bench-1")),
        ("slcan:///dev/ttyACM0", CanUrl("slcan:///dev/ttyACM0", "slcan", "/dev/ttyACM0", 500_000, 115_200)),
        (
            "slcan:///dev/serial/by-id/usb-x?bitrate=250000&baud=3000000",
            CanUrl(
                "slcan:///dev/serial/by-id/usb-x?bitrate=250000&baud=3000000",
                "slcan",
                "/dev/serial/by-id/usb-x",
                250_000,
                3_000_000,
            ),
        ),
    ],
)
def test_good_urls(url, expected):
    assert parse(url) == expected


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("tcp://x", "scheme must be can, slcan or vbus"),
        ("can://", "write it like can://can0"),
        ("can:///dev/can0", "write it like can://can0"),
        ("can://an_interface_with_a_long_name", "write it like can://can0"),
        ("can://can0?bitrate=500000", "can links take no options"),
        ("vbus://", "write it like vbus://bench"),
        ("slcan://ttyACM0", "after three slashes"),
        ("slcan:///dev/x?bitrate=800000", "bitrate must be one of"),
        ("slcan:///dev/x?bitrate=", "bitrate must be one of"),
        ("slcan:///dev/x?baud=1e6", "baud must be a whole number"),
        ("slcan:///dev/x?baud=99999999999", "baud must be a whole number"),
        ("slcan:///dev/x?speed=1", "unknown option 'speed'"),
        ("slcan:///dev/x?baud=9600&baud=9600", "given twice"),
    ],
)
def test_bad_urls_say_what_to_write(url, says):
    with pytest.raises(ConfigError, match="link '") as refused:
        parse(url)
    assert says in str(refused.value) and "\n" not in str(refused.value)


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text):
    for url in (text, "slcan:///" + text, "can://" + text):
        try:
            assert parse(url).url == url
        except ConfigError as refused:
            assert str(refused)


def test_the_plugin_opens_each_scheme():
    clock = SystemClock()
    assert isinstance(PLUGIN.open_link("can://can0", clock), SocketCanLink)
    assert isinstance(PLUGIN.open_link("vbus://a", clock), VbusLink)
    link = PLUGIN.open_link("slcan:///dev/none", clock)
    assert link.url == "slcan:///dev/none" and type(link).__name__ == "SlcanLink"
    with pytest.raises(ConfigError):
        PLUGIN.open_link("can://", clock)
