"""The socket on the machine itself: how `gridseal status` and `gridseal setpoint` reach the daemon.

One JSON object a line in each direction, over a Unix socket that only its owner and group may open; that
permission is the authority. It owns the wire format and its bounds, and decides nothing: what may be
asked is the table of handlers it is given.
"""

import asyncio
import json
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from gateway.errors import GridsealError, LinkError, ServiceRefused

LINE_MAX = 64 * 1024  # the status of 64 devices is 30 kB
CLIENTS_MAX = 8
IDLE_S = 30.0
ANSWER_S = 10.0

Answer = Mapping[str, Any]
Handler = Callable[[Mapping[str, Any]], Awaitable[Answer]]


class NoDaemon(LinkError):
    """Nobody serves that socket."""


class LocalServer:
    """Serves `handlers` by the name in each request's "do"."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._clients: set[asyncio.StreamWriter] = set()

    async def run(self) -> None:
        """Serve until cancelled. LinkError when the socket cannot be made, or its place is taken."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _clear(self._path)
            mask = os.umask(0o117)  # 0660: owner and group
            try:
                server = await asyncio.start_unix_server(self._client, self._path, limit=LINE_MAX)
            finally:
                os.umask(mask)
        except OSError as error:
            raise LinkError(f"{self._path}: no local socket: {error.strerror or error}") from error
        try:
            await asyncio.Event().wait()  # serve_forever would wait for its clients, from Python 3.12 on
        finally:
            server.close()
            self._path.unlink(missing_ok=True)
            for writer in self._clients:
                writer.transport.abort()  # its task then ends; close() would wait for one that never reads

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            while len(self._clients) <= CLIENTS_MAX:
                async with asyncio.timeout(IDLE_S):
                    line = await reader.readline()
                if not line:
                    return
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                async with asyncio.timeout(IDLE_S):
                    await writer.drain()
        except (TimeoutError, ConnectionError, ValueError):
            return  # idle, gone, or a line over LINE_MAX: the client's affair
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = json.loads(line)
            handler = self._handlers[request["do"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            return {"error": f"not understood; this socket answers: {', '.join(self._handlers)}"}
        try:
            return await handler(request)
        except GridsealError as error:
            return {"error": str(error)}
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            return {"error": f"{request['do']}: bad request: {error!r}"}


def _clear(path: Path) -> None:
    """Take away the socket that a killed daemon left, and nothing else: a file is somebody's, and a socket
    where somebody answers is another daemon's."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise LinkError(f"{path} is a file and stays one: give `socket` in site.yaml another path")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:  # it has more callers than it has taken yet
            pass
    raise LinkError(f"{path}: another program answers there: give `socket` in site.yaml another path")


async def ask(path: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """One request to the daemon at `path`. LinkError when it is not there, ServiceRefused when it says no."""
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(path, limit=LINE_MAX)
            try:
                writer.write(json.dumps(request).encode() + b"\n")
                await writer.drain()
                answer = json.loads(await reader.readline())
            finally:
                writer.close()
                await writer.wait_closed()
    except (FileNotFoundError, ConnectionRefusedError):  # the latter: it was killed
        raise NoDaemon(f"no daemon runs here, at {path}: start it with `gridseal run`") from None
    except PermissionError:
        raise LinkError(f"{path} is open to the daemon's user and group only: ask as one of them") from None
    except (OSError, ValueError, TimeoutError) as error:
        raise LinkError(f"the daemon at {path} does not answer: {str(error) or 'too slow'}") from error
    if not isinstance(answer, dict):
        raise LinkError(f"{path}: what answers there is not gridseal")
    if "error" in answer:
        raise ServiceRefused(str(answer["error"]))
    return answer
