"""Asks whoever serves a Unix socket one question and prints the answer: ask.py SOCKET '{"do": "status"}'.

In the system's Python and without the project's code, because under emulation a start of the real command
takes seconds, and scenarios look often. Exit code 1 when nobody answers.
"""

import socket
import sys

ANSWER_S = 15

with socket.socket(socket.AF_UNIX) as daemon:
    daemon.settimeout(ANSWER_S)
    try:
        daemon.connect(sys.argv[1])
        daemon.sendall(sys.argv[2].encode() + b"\n")
        print(daemon.makefile().readline().strip())
    except OSError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
