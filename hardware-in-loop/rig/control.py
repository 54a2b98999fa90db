"""Driving and questioning a running rig: one JSON object a line, one answer a line.

Owns the verbs and the two channels (standard input, a Unix socket). It refuses bad lines with
{"error": …} and goes on. Verbs, in "do":

    state                        the site and the witness's counts
    journal  last=20             the newest writes
    fault    kind=… unit= function= address= skip= times= ms=
    clear    kind=…              end one kind of fault, or all; bus faults too
    bms      kind=silent|no_351|zero|sentinel
    soc      bp=5000             set the state of charge
    frequency mhz=49900          hold the grid there; without mhz the measured series again
    grid     connected=false     cut the site from the grid, or give it back
    stop                         end the rig
"""

import asyncio
import json
import os
import stat
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rig.bms import Bms
from rig.faults import fault_from
from rig.server import ACCEPT_TURNS, Served

LINE_MAX = 65_536
JOURNAL_ANSWER_MAX = 1_000  # entries in one answer
CLIENTS_MAX = 8


class Control:
    """The verbs over one rig. `stop` is called by the verb of that name."""

    def __init__(self, served: Served, bms: Bms, stop: Callable[[], None]) -> None:
        self._served, self._bms, self._stop = served, bms, stop
        self._plant = served.bank.plant
        self._verbs: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "state": self._state,
            "journal": self._journal,
            "fault": self._fault,
            "clear": self._clear,
            "bms": self._bms_fault,
            "soc": self._soc,
            "frequency": self._frequency,
            "grid": self._grid,
            "stop": self._end,
        }

    def answer(self, line: bytes) -> dict[str, Any]:
        """What one line asks for, done. Never raises for what a line may contain."""
        try:
            asked = json.loads(line)
            if not isinstance(asked, dict) or asked.get("do") not in self._verbs:
                raise ValueError(f'say {{"do": …}} with one of: {", ".join(self._verbs)}')
            return self._verbs[asked.pop("do")](asked)
        except (ValueError, TypeError, KeyError) as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def _state(self, _: dict[str, Any]) -> dict[str, Any]:
        self._plant.advance(self._served.now_ms())
        return {
            **self._plant.report(),
            "requests": self._served.requests,
            "faults_met": dict(self._served.faults.hits),
            "bms": self._bms.report(),
        }

    def _journal(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"entries": self._plant.witness.last(min(int(asked.get("last", 20)), JOURNAL_ANSWER_MAX))}

    def _fault(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._served.faults.add(fault_from(asked))
        return {"ok": True}

    def _clear(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._served.faults.clear(asked.get("kind"))
        self._bms.clear()
        return {"ok": True}

    def _bms_fault(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._bms.break_as(asked["kind"])
        return {"ok": True}

    def _soc(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._plant.set_soc(asked["bp"] / 10_000)
        return {"ok": True}

    def _frequency(self, asked: dict[str, Any]) -> dict[str, Any]:
        mhz = asked.get("mhz")
        self._plant.set_frequency(None if mhz is None else int(mhz))
        return {"ok": True}

    def _grid(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._plant.set_grid(bool(asked["connected"]))
        return {"ok": True}

    def _end(self, _: dict[str, Any]) -> dict[str, Any]:
        self._stop()
        return {"ok": True}


class ControlSocket:
    """The verbs on a Unix socket; the file is ours to make and to remove."""

    def __init__(self, control: Control, path: Path) -> None:
        self._control, self._path = control, path
        self._server: asyncio.Server | None = None
        self._open: set[StreamWriter] = set()

    async def start(self) -> None:
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._client, self._path, limit=LINE_MAX)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
            for _ in range(ACCEPT_TURNS):
                await asyncio.sleep(0)
            while self._open:
                for writer in list(self._open):
                    writer.transport.abort()
                await asyncio.sleep(0.001)

    async def _client(self, reader: StreamReader, writer: StreamWriter) -> None:
        if len(self._open) >= CLIENTS_MAX:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            while line := await reader.readline():
                writer.write(json.dumps(self._control.answer(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            return  # gone, or a line beyond LINE_MAX
        finally:
            self._open.discard(writer)
            writer.transport.abort()


async def serve_stdin(control: Control) -> None:
    """The verbs on standard input, answers on standard output; its end is not the rig's end."""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or sys.stdin.isatty()):
        return  # /dev/null or a file: nobody is there
    reader = StreamReader(limit=LINE_MAX)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while line := await reader.readline():
            sys.stdout.write(json.dumps(control.answer(line)) + "\n")
            sys.stdout.flush()
    finally:
        transport.close()
