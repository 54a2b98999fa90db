"""A process between a gateway and its Modbus TCP servers that spoils what passes, all along.

    python -m bench.spoiler SEED PORT...      one line of ports to connect to; on SIGTERM one line of counts

Each reply may come late, twice, cut short, with noise before it, with a bit turned, or never; a connection
may be cut, or not be taken for some seconds. It refuses to spoil so much that a device is mostly away.
"""

import asyncio
import json
import signal
import sys
from collections import Counter
from contextlib import suppress
from random import Random

EACH = 0.02  # of the replies
FAULTS = ("late", "twice", "short", "noise", "turned", "never", "cut", "closed")
REPLY_MAX = 260


class Spoiler:
    """One server's. `counts` are shared by all."""

    def __init__(self, port: int, random: Random, counts: Counter[str]) -> None:
        self._port, self._random, self._counts = port, random, counts
        self._closed_until_s = 0.0
        self._turn = asyncio.Lock()  # libmodbus serves one at a time
        self._near: set[asyncio.StreamWriter] = set()

    def close(self) -> None:
        """Each connection ends as if its gateway had gone."""
        for writer in self._near:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._near.add(writer)
        try:
            if asyncio.get_running_loop().time() >= self._closed_until_s:
                async with self._turn:
                    await self._pass(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # one side has gone: so does the other
        finally:
            self._near.discard(writer)
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while request := await reader.read(REPLY_MAX):
                far_writer.write(request)
                reply = await far_reader.read(REPLY_MAX)
                fault = self._random.choice(FAULTS) if self._random.random() < EACH else ""
                self._counts[fault] += 1
                if fault in ("cut", "closed"):
                    wait_s = self._random.uniform(2, 15) if fault == "closed" else 0
                    self._closed_until_s = asyncio.get_running_loop().time() + wait_s
                    return
                writer.write(await self._spoilt(fault, reply))
        finally:
            far_writer.close()

    async def _spoilt(self, fault: str, reply: bytes) -> bytes:
        match fault:
            case "late":
                await asyncio.sleep(self._random.uniform(0.2, 3))
            case "twice":
                return reply * 2
            case "short":
                return reply[: self._random.randrange(len(reply))]
            case "noise":
                return self._random.randbytes(self._random.randrange(1, 12)) + reply
            case "turned":
                at = self._random.randrange(min(9, len(reply)))  # header, function or length: it can be seen
                return reply[:at] + bytes([reply[at] ^ 1 << self._random.randrange(8)]) + reply[at + 1 :]
            case "never":
                return b""
        return reply


async def main(seed: str, *ports: str) -> None:
    counts: Counter[str] = Counter()
    random, ended = Random(int(seed)), asyncio.Event()
    spoilers = [Spoiler(int(port), random, counts) for port in ports]
    servers = [await asyncio.start_server(spoiler.serve, "127.0.0.1", 0) for spoiler in spoilers]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    print(json.dumps(counts), flush=True)
    for server, spoiler in zip(servers, spoilers, strict=True):
        server.close()
        spoiler.close()
    await asyncio.sleep(0.2)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
