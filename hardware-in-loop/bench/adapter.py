"""A process that is serial CAN adapters: as many ptys as asked, on which a battery's frames come on command.

    python -m bench.adapter COUNT         one line of the ptys' paths; then on each line PTY FRAMES RATE from
                                          standard input so many frames, at so many a second (0: as they go)

At a pace a line comes in two pieces, as from a UART: 22 characters are 1.9 ms at 115,200 baud. It owns the
frames, so that all read the same bytes. It answers no commands and keeps nothing that is sent to it.
"""

import os
import select
import sys
import time
import tty
from itertools import cycle, islice

CYCLE = (  # what a battery of the Pylontech family says each second, as an adapter writes it
    b"t35181002C012C012C201\r",
    b"t355832006400B5130000\r",
    b"t35667B13E9FE6B01\r",
    b"t359700000000005044\r",
    b"t35C2C000\r",
    b"t35E850594C4F4E202020\r",
)
PIECE_S = 0.001
BURST = 64  # lines in one write: more than a pty holds is written as it is read


def open_pty() -> tuple[int, str]:
    master, slave = os.openpty()
    tty.setraw(slave)
    return master, os.ttyname(slave)


def speak(master: int, frames: int, rate: int) -> None:
    lines = islice(cycle(CYCLE), frames)
    began, said = time.monotonic(), 0
    while burst := list(islice(lines, 1 if rate else BURST)):
        said += 1
        if rate:
            os.write(master, burst[0][:8])
            time.sleep(PIECE_S)
            burst[0] = burst[0][8:]
        os.write(master, b"".join(burst))
        while select.select([master], [], [], 0)[0]:
            os.read(master, 4096)  # commands
        if rate:
            time.sleep(max(0.0, began + said / rate - time.monotonic()))


def main(count: int) -> None:
    ptys = [open_pty() for _ in range(count)]
    print(" ".join(path for _, path in ptys), flush=True)
    for line in sys.stdin:
        number, frames, rate = map(int, line.split())
        speak(ptys[number][0], frames, rate)


if __name__ == "__main__":
    main(int(sys.argv[1]))
