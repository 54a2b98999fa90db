"""Which serial port a path means: one port has several names, ttyUSB0 and those under /dev/serial.

It looks at /dev and opens nothing.
"""

import os


def place(path: str) -> str:
    """The same for every name of a port, whatever is spoken on it."""
    return f"tty:{os.path.realpath(path)}"
