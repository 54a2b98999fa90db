"""Sentences on a terminal, broken between words, and argparse's help. A pipe or a file gets each line whole.

It knows nothing of colours and tables: those are `screen`'s, which takes longer to load than most verbs run.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from itertools import groupby
from typing import TextIO

WIDEST = 110  # longer lines are hard to read on any screen
NARROWEST = 20
COMMAND = "gridseal "  # examples stay as they are, to be copied
TWO_COLUMNS = re.compile(r" +\S.*?  +(?=\S)")


def say(text: str, stream: TextIO | None = None) -> None:
    """Print it for people: on standard output if not said otherwise."""
    out = stream or sys.stdout
    print(fold(text, out), file=out)


def fold(text: str, stream: TextIO) -> str:
    """Each line no longer than the terminal; what it goes on with is indented."""
    if not stream.isatty():
        return text
    return "\n".join(_broken(line, columns(), 2) for line in text.split("\n"))


def columns() -> int:
    """Of the terminal; 80 where there is none."""
    import shutil  # here: it loads three compressors, and most verbs need neither

    return shutil.get_terminal_size().columns


class Help(argparse.RawDescriptionHelpFormatter):
    """Paragraphs are filled to the terminal's width; indented lines keep their place."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=min(WIDEST, columns()))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(filled(text, width))


def filled(text: str, width: int) -> Iterator[str]:
    """Its lines, where lines that begin at the margin are one paragraph until the next that does not."""
    for at_margin, lines in groupby(text.split("\n"), lambda line: line[:1] not in ("", " ")):
        if at_margin:
            yield _broken(" ".join(lines), width, 0)
        else:
            yield from (_example(line, width) for line in lines)


def _example(line: str, width: int) -> str:
    if line.lstrip().startswith(COMMAND):
        return line
    parts = TWO_COLUMNS.match(line)
    own = len(line) - len(line.lstrip())
    return _broken(line, width, parts.end() if parts and parts.end() < width // 2 else own)


def _broken(line: str, width: int, hanging: int) -> str:
    """The line in pieces of at most `width`, all but the first behind `hanging` spaces."""
    if len(line) <= width:
        return line
    import textwrap

    return textwrap.fill(
        line,
        max(width, NARROWEST),
        subsequent_indent=" " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
