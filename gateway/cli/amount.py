"""Quantities on the command line, written as in site.yaml: argparse types whose error is a sentence."""

import argparse

from gateway import units


def energy(text: str) -> int:
    """ "8 kWh" in Wh."""
    return _parsed(text, units.ENERGY_WH)


def percent(text: str) -> int:
    """ "90 %" in basis points."""
    return _parsed(text, units.PERCENT_BP)


def _parsed(text: str, scale: units.Scale) -> int:
    try:
        return units.parse(text, scale, least=0)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
