"""The pure parts of the emulated Pi: what is fetched for the guest and what is played to it.

The machine itself is `make vm`.
"""

import pytest
from vm import image, on_can, on_serial

LOCKED = """\
aiobmsble==0.31.0 ; python_full_version >= '3.12' and sys_platform == 'linux' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
wait-for2==0.4.1 ; python_full_version < '3.12' \\
    --hash=sha256:cc
pyyaml==6.0.3 \\
    --hash=sha256:dd
"""


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        (None, ["aiobmsble==0.31.0 --hash=sha256:aa --hash=sha256:bb\n", "pyyaml==6.0.3 --hash=sha256:dd\n"]),
        (("pyyaml", "wait-for2"), ["pyyaml==6.0.3 --hash=sha256:dd\n"]),
        ((), []),
    ],
)
def test_conditions_of_the_lock_are_judged_by_the_guests_python(chosen, kept):
    assert list(image.lines(LOCKED, chosen)) == kept


def test_the_lists_of_this_checkout_have_what_guest_and_peers_need():
    names = {line.split("==")[0] for line in image.lines(image.lock("run").read_text(), None)}
    assert {"bleak", "aiobmsble", "pyserial", "coincurve"} <= names
    peers = {line.split("==")[0] for line in image.lines(image.lock("dev").read_text(), image.PEERS)}
    assert peers == set(image.PEERS)


def test_everything_that_goes_into_the_guest_is_there():
    assert {"lab-shell", "lab-shell.service", "ask.py"} <= {file.name for file in image.LAB.iterdir()}
    assert all(file.is_file() for file in image.rig()) and len(image.rig()) > 20


def test_a_recording_becomes_a_second_of_the_bus():
    assert on_can.replayed({0x351: "1402", 0x355: "58"}) == (
        "(0.000000) can0 351#1402\n(0.020000) can0 355#58\n(1.000000) can0 351#1402\n"
    )
    assert set(on_can.LIMITS) <= set(on_can.recording()["good"])


def test_the_board_answers_what_the_driver_asks():
    replies = on_serial.answers(on_serial.recording()["replies"])
    assert [asked[:3] for asked in replies] == [b"\xdd\xa5\x03", b"\xdd\xa5\x04"]
    assert all(reply.startswith(b"\xdd") and reply.endswith(b"\x77") for reply in replies.values())
