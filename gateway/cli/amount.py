"""Quantities on the command line, written as in site.yaml: argparse types whose error is a sentence."""

import argparse
import math

from gateway import units

SECONDS_MAX = 86_400


def energy(text: str) -> int:
    """ "8 kWh" in Wh."""
    return _parsed(text, units.ENERGY_WH)


def percent(text: str) -> int:
    """ "90 %" in basis points."""
    return _parsed(text, units.PERCENT_BP)


def seconds(text: str) -> float:
    """How long to listen, look or watch: more than nothing, at most a day."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 < found <= SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, up to {SECONDS_MAX}")
    return found


def port(text: str) -> int:
    """A TCP port."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 1 to 65535")
    return int(text)


def _parsed(text: str, scale: units.Scale) -> int:
    try:
        return units.parse(text, scale, least=0)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
