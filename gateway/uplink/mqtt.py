"""Readings to an MQTT broker: one JSON message for each sample, QoS 1, read from the store by cursor.

Persist first, publish second: a sample is sent only after it was committed, and the cursor moves only
after the broker acknowledged it. What a broken connection or a kill leaves unacknowledged is sent again,
with the same id, so a receiver can drop the repeat. Nothing is queued here but one window of messages. It
is transport, not authority: what a broker sends is handed to `on_order`, which believes signatures alone, or
thrown away.

    gridseal/<site>/<device>   {"id": "<site>-<database>-<seq>", "device": "bms", "at": 1764000000000,
                                "clock": "trusted", "values": {"battery_soc_bp": 5120, "x_w": null},
                                "bad": {"x_w": "ABSENT"}}
    gridseal/<site>/status     "online" or "offline", retained
    gridseal/<site>/record     the newest signed record, retained: {"sequence": 12, "kind": "interval", ...}
    gridseal/<site>/order      in: a signed order (docs/attestation.md); out on <...>/order/answer:
                               {"id": "0x…", "admitted": false, "reason": "it has expired"}

Values are integers in the unit their name ends in; null is a value the device does not have. `bad` is
there only when a value is not GOOD. `at` is Unix ms; `clock` says how far to believe it.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiomqtt import Client, MqttError, Will

from gateway.errors import ConfigError, LinkError
from gateway.evidence.shown import shown
from gateway.model import Points, Quality, Sample
from gateway.site import MqttSettings
from gateway.store import Store, cursors, records
from gateway.store.recorder import Recorder
from gateway.uplink import homeassistant

CURSOR = "mqtt"
RECORD_S = 5.0  # how soon a record that was signed is told
WINDOW = 64  # messages on their way at once: 6,000 a second at 10 ms to the broker, 100 kB of memory
ACK_S = 10.0  # an acknowledgement that takes longer is a connection that is gone
KEEPALIVE_S = 30
LAYOUTS_MAX = 1000  # point sets remembered; sites have tens
HEARD_MAX = 32  # messages of the broker that wait to be read; more are dropped, their senders ask again
_CLOCKS = ("untrusted", "trusted", "backdated")  # by ClockTrust
_ABSENT = int(Quality.ABSENT)

OnOrder = Callable[[bytes], Awaitable[Mapping[str, object]]]  # a signed order's bytes to the answer


class Layout:
    """The message of one point set, laid out once; a sample then costs one string formatting."""

    def __init__(self, prefix: str, device: str, points: Points) -> None:
        self.points = points
        self._names = [json.dumps(p.name) for p in points]
        values = ",".join(f"{_plain(name)}:%s" for name in self._names)
        self._form = (
            f'{{"id":"{_plain(prefix)}-%d","device":{_plain(json.dumps(device))},'
            f'"at":%d,"clock":"%s","values":{{{values}}}%s}}'
        )

    def message(self, seq: int, sample: Sample) -> str:
        stamp, qualities = sample.stamp, sample.qualities
        shown: Sequence[object] = sample.values
        bad = ""
        if any(qualities):
            pairs = list(zip(self._names, shown, qualities, strict=True))
            shown = ["null" if q == _ABSENT else v for _, v, q in pairs]
            named = ",".join(f'{n}:"{Quality(q).name}"' for n, _, q in pairs if q)
            bad = f',"bad":{{{named}}}'
        return self._form % (seq, stamp.wall_ms, _CLOCKS[stamp.trust], *shown, bad)


def _plain(text: str) -> str:
    return text.replace("%", "%%")


class MqttUplink:
    """Publishes what the recorder commits. `published` counts acknowledged messages since the start.

    The password is read anew for each connection; ConfigError when it cannot be read at first."""

    def __init__(
        self,
        site_id: str,
        settings: MqttSettings,
        store: Store,
        recorder: Recorder,
        on_order: OnOrder | None = None,
    ) -> None:
        self.published = 0
        self.position: int | None = None  # newest acknowledged sample; known after the first run
        self._site_id = site_id
        self._settings = settings
        self._store = store
        self._recorder = recorder
        self._on_order = on_order
        self._layouts: dict[int, Layout] = {}
        self._root = f"{settings.topic}/{site_id}"
        self._password()  # a file that is not there is said before anything runs

    async def run(self) -> None:
        """One connection, for as long as it lasts. LinkError when there is none, or when it is lost."""
        if self.position is None:
            self.position = await self._store.call(cursors.get, CURSOR)
        failure = None
        try:
            made = self._client()
        except ConfigError as error:  # it could be read before: no reason to stop a battery
            raise LinkError(str(error)) from error
        try:
            async with made as client, asyncio.TaskGroup() as tasks:
                tasks.create_task(self._hear(client))
                tasks.create_task(self._publish_all(client))
                tasks.create_task(self._publish_records(client))
        except* MqttError as group:
            failure = LinkError(f"the MQTT broker {self._address}: {_first(group)}")
        if failure is not None:  # raised here, or it would come out in a group of its own
            raise failure

    @property
    def _address(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _client(self) -> Client:
        settings = self._settings
        client = Client(
            settings.host,
            settings.port,
            username=settings.username or None,
            password=self._password(),
            identifier=f"gridseal-{self._site_id}",
            clean_session=True,
            timeout=ACK_S,
            keepalive=KEEPALIVE_S,
            max_inflight_messages=WINDOW,
            max_queued_incoming_messages=HEARD_MAX,
            will=Will(f"{self._root}/status", "offline", qos=1, retain=True),
            tls_context=ssl.create_default_context() if settings.tls else None,
        )
        client.pending_calls_threshold = WINDOW
        return client

    def _password(self) -> str | None:
        path = self._settings.password
        if path is None:
            return None
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"mqtt.password: {path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"mqtt.password: {path} is not text") from error

    async def _hear(self, client: Client) -> None:
        """MqttError as soon as the connection ends; a pending publish alone would wait for its time to pass.

        Orders are judged one after the other; anything else that a broker sends is read here and dropped,
        so that it cannot fill the memory.
        """
        topic = f"{self._root}/order"
        if self._on_order:
            await client.subscribe(topic, qos=1)
        async for message in client.messages:
            if self._on_order and message.topic.matches(topic) and isinstance(message.payload, bytes):
                answer = json.dumps(await self._on_order(message.payload))
                await client.publish(f"{topic}/answer", answer, qos=1)

    async def _publish_all(self, client: Client) -> None:
        await client.publish(f"{self._root}/status", "online", qos=1, retain=True)
        announced: dict[str, Points] = {}  # by device, in this connection
        while True:
            position = self.position or 0
            await self._recorder.changed(position)
            window = await self._recorder.after(position, WINDOW)
            if self._settings.home_assistant:
                await self._announce(client, announced, window)
            async with asyncio.TaskGroup() as tasks:  # in this order on the wire, all acknowledged at its end
                for seq, sample in window:
                    topic, text = f"{self._root}/{sample.device}", self._layout(sample).message(seq, sample)
                    tasks.create_task(client.publish(topic, text, qos=1))
            self.position = window[-1][0]
            self.published += len(window)
            self._recorder.advance(CURSOR, self.position)

    async def _publish_records(self, client: Client) -> None:
        """Whoever comes finds the newest signed record; those before it are for the export."""
        told = 0
        while True:
            record = await self._store.call(records.last_signed)
            if record is not None and record.sequence != told:
                await client.publish(f"{self._root}/record", json.dumps(shown(record)), qos=1, retain=True)
                told = record.sequence
            await asyncio.sleep(RECORD_S)

    def _layout(self, sample: Sample) -> Layout:
        found = self._layouts.get(id(sample.points))
        if found is None or found.points is not sample.points:
            if len(self._layouts) >= LAYOUTS_MAX:
                self._layouts.clear()
            prefix = f"{self._site_id}-{self._store.id}"
            found = self._layouts[id(sample.points)] = Layout(prefix, sample.device, sample.points)
        return found

    async def _announce(
        self, client: Client, announced: dict[str, Points], window: list[tuple[int, Sample]]
    ) -> None:
        """Tell Home Assistant of points it has not heard of in this connection."""
        for _, sample in window:
            known = announced.get(sample.device, ())
            if sample.points is known or set(sample.points) <= set(known):
                continue
            points = tuple(dict.fromkeys((*known, *sample.points)))
            announced[sample.device] = points
            topic, text = homeassistant.discovery(self._site_id, self._root, sample.device, points)
            await client.publish(topic, text, qos=1, retain=True)


def _first(group: BaseExceptionGroup[MqttError]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
