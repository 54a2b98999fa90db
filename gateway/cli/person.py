"""Who asks, as the journal and the records of orders name them. No authority: the socket's permission is."""

import getpass
import os


def name() -> str:
    """The user's name; in a container, where nobody has one, the number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # KeyError before Python 3.13
        return f"uid {os.getuid()}"
