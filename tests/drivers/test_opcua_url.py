"""Link URLs of OPC UA: what may be left out, and what may not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua import PLUGIN
from drivers.opcua.url import CLIENT, parse
from gateway.errors import ConfigError

PIN = "ab" * 32
SECURE = f"opc.tcp://plc:4841/ua?mode=encrypt&server=sha256:{PIN}"


def test_a_bare_url_is_for_readings():
    where = parse("opc.tcp://192.168.1.50")
    assert (where.host, where.port, where.path, where.mode) == ("192.168.1.50", 4840, "", "none")
    assert not where.trusted
    assert where.endpoint == "opc.tcp://192.168.1.50:4840"
    assert parse("opc.tcp://[fe80::1]:5000/x").endpoint == "opc.tcp://[fe80::1]:5000/x"


def test_a_secure_one_says_all_of_it():
    where = parse(f"{SECURE}&user=gridseal&password=/etc/gridseal/pw&client=/var/lib/x")
    assert where.trusted and where.mode == "encrypt"
    assert (where.fingerprint, where.certificate) == (PIN, None)
    assert (where.user, where.password, where.client) == (
        "gridseal",
        Path("/etc/gridseal/pw"),
        Path("/var/lib/x"),
    )
    assert where.endpoint == "opc.tcp://plc:4841/ua"
    assert parse(SECURE).client == CLIENT
    assert parse("opc.tcp://plc?mode=sign&server=/etc/plc.der").certificate == Path("/etc/plc.der")


def test_a_fingerprint_may_be_written_as_devices_show_it():
    shown = ":".join(["AB"] * 32)
    assert parse(f"opc.tcp://plc?mode=sign&server=sha256:{shown}").fingerprint == PIN


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("tcp://plc", "write it like opc.tcp://"),
        ("opc.tcp:///x", "write it like"),
        ("opc.tcp://plc:0", "write it like"),
        ("opc.tcp://plc:x", "write it like"),
        ("opc.tcp://plc:99999", "write it like"),
        ("opc.tcp://[plc", "write it like"),
        ("opc.tcp://plc#x", "write it like"),
        ("opc.tcp://user:secret@plc", "has no user in front of the host"),
        ("opc.tcp://plc?mode=best", "mode must be encrypt or sign"),
        ("opc.tcp://plc?user=a&password=/b", "password needs mode=encrypt"),
        ("opc.tcp://plc?mode=none&server=/x", "server needs mode=encrypt"),
        ("opc.tcp://plc?mode=encrypt", "needs the server's certificate"),
        ("opc.tcp://plc?mode=encrypt&server=sha256:abc", "64 hexadecimal digits"),
        ("opc.tcp://plc?mode=encrypt&server=plc.der", "a file by its whole path"),
        (f"{SECURE}&user=a", "go together"),
        (f"{SECURE}&password=/a", "go together"),
        (f"{SECURE}&user=a&password=b", "a file by its whole path"),
        (f"{SECURE}&client=x", "a file by its whole path"),
        (f"{SECURE}&mode=sign", "given twice"),
        (f"{SECURE}&polcy=x", "unknown option 'polcy'"),
        (f"{SECURE}&user=&password=/x", "user says nothing"),
    ],
)
def test_a_wrong_one_says_what_to_write(url, says):
    with pytest.raises(ConfigError, match=says) as caught:
        parse(url)
    assert "secret" not in str(caught.value)


def test_the_same_server_is_one_wire_however_it_is_written():
    assert PLUGIN.place("opc.tcp://plc/ua") == PLUGIN.place("opc.tcp://plc:4840/ua/")
    assert PLUGIN.place("opc.tcp://plc:4841/ua") == PLUGIN.place(SECURE)
    assert PLUGIN.place("opc.tcp://plc/a") != PLUGIN.place("opc.tcp://plc/b")


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_a_config_error(text):
    for url in (text, f"opc.tcp://plc{text}", f"opc.tcp://plc?{text}"):
        try:
            where = parse(url)
        except ConfigError:
            continue
        assert where.host and where.endpoint.startswith("opc.tcp://")
        assert where.trusted == bool(where.fingerprint or where.certificate)
