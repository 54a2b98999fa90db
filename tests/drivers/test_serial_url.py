"""Serial URLs: what is taken, and one line that says what to write for the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial import PLUGIN
from drivers.serial.url import parse
from gateway.errors import ConfigError

NAME = "serial:///dev/serial/by-id/usb-FTDI_FT232R-if00-port0"


def test_what_a_technician_writes():
    where = parse(f"{NAME}?baud=115200&parity=e&stop=2")
    assert (where.path, where.baud, where.parity, where.stop) == (NAME[9:], 115_200, "E", 2)
    assert where.char_ms(where.baud) == pytest.approx(12_000 / 115_200)
    assert parse(NAME).baud is None
    assert parse(NAME).char_ms(9_600) == pytest.approx(10_000 / 9_600)
    assert PLUGIN.place(f"{NAME}?baud=1200") == PLUGIN.place(NAME) == f"tty:{NAME[9:]}"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("serial://host/dev/tty", "after three slashes"),
        ("serial:dev/tty", "after three slashes"),
        ("serial:///dev/tty#1", "after three slashes"),
        ("rtu:///dev/tty", "scheme must be serial"),
        ("serial://[x", "write it like serial:///dev/serial/by-id/"),
        ("serial:///dev/tty US", "neither spaces"),
        ("serial:///dev/tty?baud=9600&baud=1200", "given twice"),
        ("serial:///dev/tty?boud=9600", "did you mean 'baud'"),
        ("serial:///dev/tty?zzz=1", "known are baud, parity, stop"),
        ("serial:///dev/tty?baud=299", "baud must be a whole number from 300 to 921600"),
        ("serial:///dev/tty?baud=fast", "baud must be"),
        ("serial:///dev/tty?baud=", "baud must be"),
        ("serial:///dev/tty?baud=1\u00b2", "baud must be"),
        ("serial:///dev/tty?parity=M", "parity must be N, E or O"),
        ("serial:///dev/tty?stop=3", "stop must be 1 or 2"),
    ],
)
def test_what_is_refused(url, said):
    with pytest.raises(ConfigError) as error:
        parse(url)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_one_line(text):
    for url in (text, f"serial:///{text}", f"serial:///dev/tty?{text}"):
        try:
            parse(url)
        except ConfigError as error:
            assert str(error).startswith("link ")
