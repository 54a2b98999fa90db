"""Each signed interval to the REST of platform `meter`, as POST <url>/meters/reading, in order, by cursor.

    {"meterId": 7, "timestamp": 1790000900, "consumption": 680, "production": 500, "gridFrequency": 49991,
     "voltage": 230400, "sequence": 12, "digest": "0x…", "signature": "0x…"}

The fields of the contract's MeterReading (Wh, mHz, mV), and the record that proves them. The cursor moves
when the platform has taken a reading, has it already (409), or will never take it (400, 413, 422): then the
next one goes. It refuses redirects: a token is for the host it was given for.
"""

import asyncio
import json
from pathlib import Path

import aiohttp

from gateway.errors import ConfigError, LinkError
from gateway.evidence import body as bodies
from gateway.model import Interval, Record
from gateway.site import RestSettings
from gateway.store import Store, cursors, records

CURSOR = "meter-rest"
POLL_S = 10.0
TIMEOUT_S = 20.0
BATCH = 32
TOKEN_MAX = 4096
TAKEN, NEVER = frozenset({200, 201, 202, 204, 409}), frozenset({400, 413, 422})


class MeterPost:
    """`run` until cancelled; LinkError when the platform does not answer, or not now (run it again later)."""

    def __init__(self, settings: RestSettings, meter: int, store: Store) -> None:
        self._settings = settings
        self._meter = meter
        self._store = store
        self.refused = ""  # the newest reading the platform will never take, for people
        self._token()  # a file that is not there is said before anything runs

    async def run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                await self.tick(session)
                await asyncio.sleep(POLL_S)

    async def tick(self, session: aiohttp.ClientSession) -> None:
        """Send what is signed and has not gone."""
        after = await self._store.call(cursors.get, CURSOR)
        while found := await self._store.call(records.entries, after, BATCH):
            for entry in found:
                if not entry.record.signature:
                    return
                if entry.record.kind == "interval":
                    await self._send(session, entry.record)
                after = entry.record.sequence
                await self._store.call(cursors.put, CURSOR, after)

    async def _send(self, session: aiohttp.ClientSession, record: Record) -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": "0x" + record.digest.hex()}
        if token := self._token():
            headers["Authorization"] = f"Bearer {token}"
        url = f"{self._settings.url.rstrip('/')}/meters/reading"
        try:
            async with session.post(
                url, data=message(self._meter, record), headers=headers, allow_redirects=False
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LinkError(f"{self._settings.url}: not reachable: {error or 'no answer in time'}") from error
        if status in NEVER:
            self.refused = f"{self._settings.url} does not take record {record.sequence} (HTTP {status})"
        elif status not in TAKEN:
            raise LinkError(f"{self._settings.url}: answers HTTP {status}")

    def _token(self) -> str:
        if self._settings.token is None:
            return ""
        return read_token(self._settings.token)


def message(meter: int, record: Record) -> bytes:
    """What is posted for a signed interval."""
    said = bodies.read(record.kind, record.body).body
    assert isinstance(said, Interval)
    fields = {
        "meterId": meter,
        "timestamp": said.end_ms // 1000,
        "consumption": said.consumed_wh,
        "production": said.produced_wh,
        "gridFrequency": said.frequency_mhz,
        "voltage": said.voltage_mv,
        "sequence": record.sequence,
        "digest": "0x" + record.digest.hex(),
        "signature": "0x" + record.signature.hex(),
    }
    return json.dumps(fields).encode()


def read_token(path: Path) -> str:
    """A token from its file. ConfigError when there is none that a header can carry."""
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the token cannot be read: {error}") from error
    if not text or len(text) > TOKEN_MAX or not text.isprintable():
        raise ConfigError(f"{path}: holds no token of 1 to {TOKEN_MAX} printable characters")
    return text
