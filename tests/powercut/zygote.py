"""Runs lives under the recorder: one Python that has imported everything, and a fork for each life.

Started with the recorder preloaded. Reads one JSON line for each life and answers with one when it has
ended; the child's trace is in the file it was told. A child that hangs is ended by its own alarm.
"""

import ctypes
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from random import Random
from typing import Any

from tests.powercut import mutants, workload
from tests.powercut.trace import Kind

LIFE_S_MAX = 60  # takes a fifth of a second


def life(recorder: ctypes.CDLL, order: dict[str, Any]) -> int:
    """In the child: the exit code."""
    signal.alarm(LIFE_S_MAX)
    folder = Path(order["folder"])

    def note(fields: dict[str, Any]) -> None:
        recorder.powercut_note(workload.text(fields))

    workload.small()
    mutants.apply(order["mutant"])
    if recorder.powercut_begin(order["trace"].encode(), str(folder).encode()):
        return 96
    kinds, at, error, lasting = order["fault"]
    recorder.powercut_fault(sum(1 << Kind[k.upper().replace(" ", "_")] for k in kinds), at, error, lasting)
    try:
        world = workload.World(**order["world"])
        workload.live(folder, world, Random(order["seed"]), note, order["seconds"])
    except BaseException:  # noqa: BLE001 - whatever it is, the harness calls it a violation
        note({"bug": traceback.format_exc()})
    note({"calls": recorder.powercut_calls()})
    return 0


def main() -> None:
    recorder = ctypes.CDLL(None)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(life(recorder, json.loads(line)))  # killed in effect: nothing is closed in order
        _, status = os.waitpid(child, 0)
        print(status, flush=True)


if __name__ == "__main__":
    main()
