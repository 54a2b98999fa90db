"""The peer of the start bench: a script that reads one block with pymodbus and commits it with sqlite3."""

import asyncio
import sqlite3
import sys

from pymodbus.client import AsyncModbusTcpClient

COUNT = 10


async def main(path: str, port: str, unit: str, address: str) -> None:
    client = AsyncModbusTcpClient("127.0.0.1", port=int(port))
    await client.connect()
    reply = await client.read_holding_registers(int(address), count=COUNT, device_id=int(unit))
    conn = sqlite3.connect(path)
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = FULL")
    conn.execute("CREATE TABLE sample (values_ TEXT)")
    conn.execute("INSERT INTO sample VALUES (?)", (str(reply.registers),))
    conn.commit()
    await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
