"""Link URLs: what a technician may write, and what is said of the rest."""

import pytest

from drivers.modbus.url import LinkUrl, elsewhere, parse
from gateway.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("tcp://10.0.0.1", ("tcp", "10.0.0.1", 502)),
        ("tcp://inverter.local:1502/", ("tcp", "inverter.local", 1502)),
        ("tcp://[::1]:502", ("tcp", "::1", 502)),
        ("rtutcp://10.0.0.1:4001?baud=19200", ("rtutcp", "10.0.0.1", 4001)),
        ("rtu:///dev/serial/by-id/usb-FTDI", ("rtu", "/dev/serial/by-id/usb-FTDI", 0)),
    ],
)
def test_places(url: str, expected: tuple[str, str, int]) -> None:
    where = parse(url)
    assert (where.scheme, where.host, where.port) == expected and where.url == url


def test_options() -> None:
    where = parse("rtu:///dev/x?baud=19200&parity=e&stop=2&echo=1&gap=25&settle=500")
    assert where == LinkUrl(where.url, "rtu", "/dev/x", 0, 25, 500, 19200, "E", 2, True)
    assert parse("tcp://h?gap=7").pause_ms == 7 and parse("tcp://h").pause_ms == 0


def test_rtu_keeps_the_silence_between_frames() -> None:
    assert parse("rtu:///dev/x").pause_ms == 5  # 3.5 characters of 11 bits at 9,600 baud are 4.01 ms
    assert parse("rtu:///dev/x?baud=115200").silence_ms == 1.75
    assert parse("rtu:///dev/x?gap=50").pause_ms == 50


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("udp://h", "scheme"),
        ("h:502", "scheme"),
        ("tcp://", "host:port"),
        ("tcp://h:0", "1 to 65535"),
        ("tcp://h:99999", "1 to 65535"),
        ("tcp://h:x", "1 to 65535"),
        ("tcp://[::1", "in brackets"),
        ("tcp://[inverter]:502", "in brackets"),
        ("tcp://192.168..40:502", "neither a host name nor an address"),
        ("tcp://192.168.1.400", "neither a host name nor an address"),
        ("tcp://192.168.40", "neither a host name nor an address"),
        ("tcp://" + "x" * 64, "neither a host name nor an address"),
        ("tcp://my inverter", "spaces"),
        ("rtu:///dev/tty\0x", "control characters"),
        ("tcp://h?gap=" + "9" * 5000, "0 to 5000"),
        ("tcp://h/path", "host:port"),
        ("tcp://u@h", "user names"),
        ("tcp://h#1", "'#'"),
        ("rtutcp://h", "host:port"),
        ("rtu://dev/ttyUSB0", "three slashes"),
        ("rtu:/dev/x?baud=x", "baud must be"),
        ("rtu:///dev/x?baud=100", "300 to 921600"),
        ("rtu:///dev/x?parity=X", "parity"),
        ("rtu:///dev/x?stop=3", "1 to 2"),
        ("rtu:///dev/x?echo=yes", "echo must be"),
        ("tcp://h?baud=9600", "unknown option 'baud'"),
        ("tcp://h?gpa=1", "did you mean 'gap'"),
        ("tcp://h?gap=1&gap=2", "twice"),
        ("tcp://h?gap=-1", "0 to 5000"),
        ("tcp://h?gap=5001", "0 to 5000"),
    ],
)
def test_what_is_refused(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        parse(url)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "host", "there"),
    [
        ("tcp://10.0.0.1", "10.0.0.7", "tcp://10.0.0.7"),
        ("tcp://inverter.local:1502/?gap=5", "10.0.0.7", "tcp://10.0.0.7:1502/?gap=5"),
        ("rtutcp://10.0.0.1:4001?baud=19200", "fd00::7", "rtutcp://[fd00::7]:4001?baud=19200"),
        ("tcp://[::1]:502", "10.0.0.7", "tcp://10.0.0.7:502"),
    ],
)
def test_the_same_link_elsewhere(url: str, host: str, there: str) -> None:
    assert elsewhere(url, host) == there
    before, after = parse(url), parse(there)
    assert (after.host, after.port, after.gap_ms, after.baud) == (
        host,
        before.port,
        before.gap_ms,
        before.baud,
    )
