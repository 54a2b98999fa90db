"""Sentences for people: never broken inside a word by the terminal, never broken at all in a pipe."""

import io

import pytest

from gateway.cli import VERBS, main
from gateway.cli.text import filled, fold

LONG = "inverter will be ordered to charge and to discharge with 1250 W in turn, 16 to 24 times, inside"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [30, 80])
def test_a_terminal_gets_whole_words(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = fold(f"short\n\n{LONG}", Terminal()).split("\n")
    assert lines[:2] == ["short", ""]
    assert all(len(line) <= width for line in lines)
    assert " ".join(line.strip() for line in lines[2:]) == LONG
    assert all(line.startswith("  ") for line in lines[3:])


def test_a_word_that_is_too_long_stays_whole(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    path = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0"
    assert path in fold(f"cannot open {path}", Terminal()).split()


@pytest.mark.parametrize("columns", ["0", "1", "nonsense", ""])
def test_a_terminal_without_a_width_is_no_trouble(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert fold(LONG, Terminal()).replace("\n ", "").split() == LONG.split()


def test_a_pipe_gets_lines_as_they_are(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    assert fold(LONG, io.StringIO()) == LONG


def test_paragraphs_are_filled_and_examples_left():
    text = (
        "what it does\n\nThe first half of it\nand the second.\n\n"
        "  gridseal verb site.yaml --with much more than would fit\n"
        "  word     what it means, at length\n"
    )
    assert list(filled(text, 30)) == [
        "what it does",
        "",
        "The first half of it and the\nsecond.",
        "",
        "  gridseal verb site.yaml --with much more than would fit",
        "  word     what it means, at\n           length",
        "",
    ]


@pytest.mark.parametrize("verb", VERBS)
def test_every_help_fits_a_terminal_of_80(monkeypatch, capsys, verb):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    long = [line for line in capsys.readouterr().out.splitlines() if len(line) > 80]
    assert all(line.startswith("  gridseal ") for line in long)
