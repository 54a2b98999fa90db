"""The peer of site-500: what a decent engineer writes in an hour with pymodbus, aiomqtt and sqlite3.

One task a device, one JSON message for each device and poll at QoS 1, one commit a second in WAL with
synchronous=FULL. `rows` says what is stored: "json" keeps the message as one row, "each" makes a row of
every reading. It has no checks, no ages, no control, and what it cannot publish is lost.
"""

import asyncio
import json
import sqlite3
import sys
import time
from typing import Any

from aiomqtt import Client
from pymodbus.client import AsyncModbusTcpClient

from bench.site import LONG_NAMES, LONGS, SHORT_NAMES, SHORTS

Row = tuple[Any, ...]


async def poll(name: str, port: int, mqtt: Client, rows: list[Row], each: bool) -> None:
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    kinds, names = client.DATATYPE, (*SHORT_NAMES, *LONG_NAMES)
    due = time.monotonic()
    while True:
        at = time.time_ns() // 1_000_000
        first = await client.read_holding_registers(0, count=SHORTS, device_id=1)
        second = await client.read_holding_registers(SHORTS, count=2 * LONGS, device_id=1)
        values = client.convert_from_registers(first.registers, kinds.UINT16)
        values += client.convert_from_registers(second.registers, kinds.INT32)
        found = dict(zip(names, values, strict=True))
        text = json.dumps({"device": name, "at": at, "values": found})
        if each:
            rows.extend((at, name, point, value) for point, value in found.items())
        else:
            rows.append((at, name, text))
        await mqtt.publish(f"bare/{name}", text, qos=1)
        due += 1
        await asyncio.sleep(due - time.monotonic())


def open_database(path: str, each: bool) -> sqlite3.Connection:
    conn = sqlite3.connect(path, check_same_thread=False)
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = FULL")
    columns = (
        "at INTEGER, device TEXT, point TEXT, value INTEGER" if each else "at INTEGER, device TEXT, body TEXT"
    )
    conn.execute(f"CREATE TABLE reading ({columns})")
    conn.commit()
    return conn


async def store(path: str, rows: list[Row], each: bool) -> None:
    conn = open_database(path, each)
    insert = f"INSERT INTO reading VALUES ({'?, ?, ?, ?' if each else '?, ?, ?'})"

    def commit(taken: list[Row]) -> None:
        conn.executemany(insert, taken)
        conn.commit()

    while True:
        await asyncio.sleep(1)
        taken = rows[:]
        rows.clear()
        await asyncio.to_thread(commit, taken)


async def main(path: str, style: str, mqtt_port: str, *ports: str) -> None:
    rows: list[Row] = []
    each = style == "each"
    async with Client("127.0.0.1", int(mqtt_port)) as mqtt, asyncio.TaskGroup() as tasks:
        tasks.create_task(store(path, rows, each))
        for n, port in enumerate(ports):
            tasks.create_task(poll(f"meter{n}", int(port), mqtt, rows, each))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
