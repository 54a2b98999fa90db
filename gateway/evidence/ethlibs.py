"""Importing the Ethereum libraries without what they do to the interpreter.

py_ecc, which eth-account and eth-keyfile bring along, raises the recursion limit to 100,000. With that, a
hostile answer of 100 kB of brackets makes json end the process instead of raising. They also cost half a
second and tens of megabytes, so they are imported where they are needed and nowhere else.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def tamed() -> Iterator[None]:
    """Around an import of eth_account or eth_keyfile: the recursion limit stays what it was."""
    limit = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
