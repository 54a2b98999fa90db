"""Asks the daemon one question on its local socket and prints the answer: ask.py '{"do": "status"}'.

In the system's Python and without the project's code, because under emulation a start of the real command
takes seconds, and scenarios look often. Exit code 1 when nobody answers.
"""

import socket
import sys

SOCKET = "/run/gridseal/control.sock"
ANSWER_S = 15

with socket.socket(socket.AF_UNIX) as daemon:
    daemon.settimeout(ANSWER_S)
    try:
        daemon.connect(SOCKET)
        daemon.sendall(sys.argv[1].encode() + b"\n")
        print(daemon.makefile().readline().strip())
    except OSError as error:
        sys.exit(f"{SOCKET}: {error}")
