"""A picture that stays on a terminal: its pages, its keys, and the terminal as it was, however it ends."""

import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl

import pytest
from rich.console import Group
from rich.text import Text

from gateway import cli
from gateway.cli.live import BACK, FORWARD, Pages
from gateway.cli.screen import Screen
from tests.gateway.cli_bench import write
from tests.gateway.test_cli_status import Daemon
from tests.processes import environment

WAIT_S = 20


def seen(pages, lines, height, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", str(height))
    screen = Screen()
    with screen.capture() as captured:
        screen.print(pages.seen(screen, Group(*(Text(f"line {n}") for n in range(lines)))))
    return captured.get().splitlines()


def test_what_fits_is_seen_whole(monkeypatch):
    assert seen(Pages(), 10, 10, monkeypatch) == [f"line {n}" for n in range(10)]


def test_what_does_not_fit_is_turned_page_by_page(monkeypatch):
    pages, found = Pages(), []
    for _ in range(3):
        page = seen(pages, 11, 6, monkeypatch)
        assert len(page) == 6
        assert page[-1] == f"page {len(found) // 5 + 1} of 3: space turns, q ends"
        found += page[:-1]
        pages.key(b" ")
    assert [line for line in found if line] == [f"line {n}" for n in range(11)]
    assert seen(pages, 11, 6, monkeypatch)[0] == "line 0"  # around
    pages.key(b"b")
    assert seen(pages, 11, 6, monkeypatch)[0] == "line 10"
    assert seen(pages, 3, 6, monkeypatch) == ["line 0", "line 1", "line 2"]  # devices went away


@pytest.mark.parametrize("height", [1, 2])
def test_a_window_of_a_line_or_two_is_survived(monkeypatch, height):
    assert seen(Pages(), 5, height, monkeypatch)[0] == "line 0"


def test_keys_that_mean_nothing_do_nothing():
    pages = Pages()
    for key in (b"x", b"\x1b", b"\xff\xfe", b"", b"   "):
        pages.key(key)
    assert (pages.page, pages.ended) == (0, False)
    for key in (*FORWARD, *BACK):
        pages.key(key)
    assert pages.page == len(FORWARD) - len(BACK)
    pages.key(b"q")
    assert pages.ended


@pytest.fixture
def site(tmp_path):
    with Daemon(tmp_path / "control.sock"):
        yield write(tmp_path)


def until(keyboard, wanted):
    """What came on the terminal until `wanted`; all that came in time if it did not."""
    came, end = b"", time.monotonic() + WAIT_S
    while wanted not in came and time.monotonic() < end:
        if select.select([keyboard], [], [], 0.1)[0]:
            came += os.read(keyboard, 4096)
    return came


@pytest.mark.parametrize(("how", "code"), [("q", 0), ("ctrl-c", 130)])
def test_the_terminal_is_given_back_as_it_was(site, how, code):
    keyboard, terminal = pty.openpty()
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 8, 80, 0, 0))
    before = termios.tcgetattr(terminal)
    started = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", "status", "--watch", str(site)],
        stdin=terminal, stdout=terminal, stderr=terminal, env={**environment(), "TERM": "xterm"},
    )  # fmt: skip
    try:
        assert b"page 1 of" in until(keyboard, b"space turns")
        os.write(keyboard, b" ")
        assert b"page 2 of" in until(keyboard, b"page 2 of")
        os.write(keyboard, b"q") if how == "q" else started.send_signal(signal.SIGINT)
        left = until(keyboard, b"\x1b[?1049l")  # the screen that was there before
        assert started.wait(WAIT_S) == code and b"Traceback" not in left
        assert termios.tcgetattr(terminal) == before
    finally:
        started.kill()
        started.wait(WAIT_S)
        os.close(keyboard)
        os.close(terminal)


@pytest.mark.parametrize("words", [["status", "--watch"], ["watch"]])
def test_a_pipe_gets_no_endless_pictures(site, capsys, words):
    assert cli.main([*words, str(site)]) == 1
    assert "no terminal" in capsys.readouterr().err
