"""The MQTT uplink against a real mosquitto: order, ids, a broker that leaves, a publisher that is killed."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiomqtt import Client, MqttError
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import SystemClock
from gateway.errors import ConfigError, LinkError
from gateway.model import ClockTrust, Point, Quality, Sample, Stamp
from gateway.site import MqttSettings, StoreSettings
from gateway.store import Store, cursors, samples
from gateway.store.recorder import Recorder
from gateway.uplink.mqtt import CURSOR, Layout, MqttUplink, OnOrder
from tests.certificates import self_signed
from tests.tools import need

ROOT = Path(__file__).parents[2]
POINTS = tuple(Point("meter", f"p{n}_w") for n in range(20))


def sample(number: int) -> Sample:
    stamp = Stamp(number, 1_764_000_000_000 + number, ClockTrust.TRUSTED)
    return Sample("meter", stamp, POINTS, tuple(range(number, number + 20)), bytes(20))


# -- the message ------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.text(min_size=1), st.integers(-(2**63), 2**63 - 1), st.sampled_from(Quality)),
        unique_by=lambda row: row[0],
    ),
    st.sampled_from(ClockTrust),
)
def test_message_is_json_of_what_was_sampled(rows: list[tuple[str, int, Quality]], trust: ClockTrust) -> None:
    points = tuple(Point('in"v%', name) for name, _, _ in rows)
    taken = Sample(
        'in"v%', Stamp(1, 2, trust), points, tuple(v for _, v, _ in rows), bytes(q for *_, q in rows)
    )
    found = json.loads(Layout("site-%s", 'in"v%', points).message(7, taken))
    assert found.pop("bad", {}) == {name: q.name for name, _, q in rows if q is not Quality.GOOD}
    assert found == {
        "id": "site-%s-7",
        "device": 'in"v%',
        "at": 2,
        "clock": trust.name.lower(),
        "values": {name: None if q is Quality.ABSENT else v for name, v, q in rows},
    }


# -- a broker ---------------------------------------------------------------------------------------


@dataclass
class Broker:
    """A mosquitto on a loopback port; keeps sessions across an orderly restart."""

    program: str
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self, extra: str = "allow_anonymous true\n") -> None:
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\n{extra}persistence true\npersistence_location {self.folder}/\n"
            "max_queued_messages 0\nuser root\nlog_dest none\n"
        )
        self.process = subprocess.Popen([self.program, "-c", str(config)])
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
        pytest.fail("mosquitto does not listen")

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
            self.process = None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    program = need("mosquitto")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Broker(program, folder, port)
    broker.start()
    yield broker
    broker.stop()


@dataclass
class Listener:
    """A subscriber with a session that the broker keeps while it is away."""

    port: int
    topic: str = "gridseal/meadow/#"
    texts: list[tuple[str, str]] = field(default_factory=list)

    async def run(self) -> None:
        while True:
            try:
                await self._listen()
            except MqttError:
                await asyncio.sleep(0.05)

    async def _listen(self) -> None:
        async with Client("127.0.0.1", self.port, identifier="listener", clean_session=False) as client:
            await client.subscribe(self.topic, qos=1)
            async for message in client.messages:
                self.texts.append((str(message.topic), message.payload.decode()))

    def ids(self) -> list[str]:
        return [json.loads(text)["id"] for topic, text in self.texts if topic == "gridseal/meadow/meter"]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def unique(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(ids))


@dataclass
class Side:
    """The publishing side in this process."""

    store: Store
    recorder: Recorder
    uplink: MqttUplink

    async def keep_running(self) -> None:
        """What the supervisor does: again after a LinkError."""
        while True:
            try:
                await self.uplink.run()
            except LinkError:
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def publishing(
    path: Path, settings: MqttSettings, on_order: OnOrder | None = None
) -> AsyncIterator[Side]:
    store = Store(StoreSettings(path), SystemClock())
    await store.open()
    recorder = Recorder(store, commit_ms=10)
    await recorder.start()
    try:
        yield Side(store, recorder, MqttUplink("meadow", settings, store, recorder, on_order))
        await recorder.flush()
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def running(*works: Callable[[], object]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(work()) for work in works]
        yield
        for task in started:
            task.cancel()


def settings(broker: Broker, **more: object) -> MqttSettings:
    return MqttSettings("127.0.0.1", broker.port, tls=False, **more)


async def test_every_sample_arrives_once_and_in_order(broker: Broker, tmp_path: Path) -> None:
    listener = Listener(broker.port)
    async with publishing(tmp_path / "g.db", settings(broker)) as side:
        async with running(listener.run, side.recorder.run, side.keep_running):
            for number in range(300):  # far more than one window
                side.recorder.put(sample(number))
            await until(lambda: len(listener.ids()) >= 300 and side.uplink.published == 300)
        assert listener.ids() == [f"meadow-{side.store.id}-{seq}" for seq in range(1, 301)]
        assert side.uplink.published == 300
        await side.recorder.flush()
        assert await side.store.call(cursors.get, CURSOR) == 300
    first = json.loads(next(text for topic, text in listener.texts if topic.endswith("/meter")))
    assert (first["at"], first["values"]["p19_w"]) == (1_764_000_000_000, 19)


async def test_a_broker_away_loses_nothing(broker: Broker, tmp_path: Path) -> None:
    listener, total = Listener(broker.port), 400
    async with (
        publishing(tmp_path / "g.db", settings(broker)) as side,
        running(listener.run, side.recorder.run, side.keep_running),
    ):
        for number in range(total):
            side.recorder.put(sample(number))
            if number in (100, 250):
                await until(lambda number=number: side.uplink.published > number - 50)
                broker.stop()
            if number in (200, 300):
                broker.start()
            await asyncio.sleep(0.001)
        await until(lambda: len(set(listener.ids())) >= total)
    assert unique(listener.ids()) == [f"meadow-{side.store.id}-{seq}" for seq in range(1, total + 1)]


PUBLISHER = """
import asyncio, sys
from pathlib import Path
from gateway.site import MqttSettings
from tests.gateway.test_mqtt import publishing, running, sample

async def main():
    settings = MqttSettings("127.0.0.1", int(sys.argv[2]), tls=False)
    async with publishing(Path(sys.argv[1]), settings) as side:
        async with running(side.recorder.run, side.keep_running):
            number = side.recorder.seq
            while True:
                number += 1
                side.recorder.put(sample(number))
                if number % 5 == 0:
                    await asyncio.sleep(0.002)

asyncio.run(main())
"""


async def test_a_killed_publisher_loses_nothing_and_repeats_the_same_ids(
    broker: Broker, tmp_path: Path
) -> None:
    listener, path = Listener(broker.port), tmp_path / "g.db"
    async with running(listener.run):
        for _ in range(3):
            before = len(listener.ids())
            child = subprocess.Popen(
                [sys.executable, "-c", PUBLISHER, str(path), str(broker.port)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
            await until(lambda before=before: len(listener.ids()) > before + 100)
            child.kill()
            child.wait(10)
        async with (
            publishing(path, settings(broker)) as side,
            running(side.recorder.run, side.keep_running),
        ):
            stored = await side.store.call(samples.last_seq)
            await until(lambda: len(set(listener.ids())) >= stored)
    ids = listener.ids()
    assert sorted(set(ids), key=lambda i: int(i.rsplit("-", 1)[1])) == [
        f"meadow-{side.store.id}-{seq}" for seq in range(1, stored + 1)
    ]
    bodies = {(json.loads(text)["id"], text) for topic, text in listener.texts if topic.endswith("/meter")}
    assert len(bodies) == len(set(ids))  # a repeat is the same message


async def test_no_broker_is_one_line(broker: Broker, tmp_path: Path) -> None:
    broker.stop()
    async with publishing(tmp_path / "g.db", settings(broker)) as side:
        with pytest.raises(LinkError, match=rf"^the MQTT broker 127.0.0.1:{broker.port}: "):
            await side.uplink.run()


async def test_a_broker_that_stops_is_noticed_without_traffic(broker: Broker, tmp_path: Path) -> None:
    async with publishing(tmp_path / "g.db", settings(broker)) as side:
        side.recorder.put(sample(1))
        await side.recorder.flush()

        async def stop_later() -> None:
            await until(lambda: side.uplink.published == 1)
            broker.stop()

        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            tasks.create_task(stop_later())
            with pytest.raises(LinkError):
                await side.uplink.run()


async def test_password_comes_from_a_file(broker: Broker, tmp_path: Path) -> None:
    need("mosquitto_passwd")
    users, secret = broker.folder / "users", tmp_path / "secret"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(users), "ada", "moon"], check=True, timeout=20)
    broker.stop()
    broker.start(f"password_file {users}\n")
    known = settings(broker, username="ada", password=secret)
    for content, says in ((None, "secret cannot be read: No such file"), (b"\xff", "secret is not text")):
        if content is not None:
            secret.write_bytes(content)
        with pytest.raises(ConfigError, match=rf"mqtt\.password: .*{says}"):
            async with publishing(tmp_path / "g.db", known):
                pass
    secret.write_text("sun\n")
    async with publishing(tmp_path / "g.db", known) as side:
        secret.unlink()
        with pytest.raises(LinkError, match=r"mqtt\.password: .*secret cannot be read"):
            await side.uplink.run()  # for another try, not the end of the site
        secret.write_text("sun\n")
        with pytest.raises(LinkError, match=r"[Nn]ot authori"):
            await side.uplink.run()
        secret.write_text("moon\n")
        side.recorder.put(sample(1))
        async with running(side.recorder.run, side.uplink.run):
            await until(lambda: side.uplink.published == 1)


# paho drops the socket of a failed handshake without closing it; the collector does that, with a warning.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_tls_checks_the_broker(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = broker.folder / "key.pem", broker.folder / "cert.pem"
    self_signed(certificate, key, "IP:127.0.0.1")
    broker.stop()
    broker.start(f"allow_anonymous true\ncertfile {certificate}\nkeyfile {key}\n")
    async with publishing(tmp_path / "g.db", MqttSettings("127.0.0.1", broker.port, tls=True)) as side:
        side.recorder.put(sample(1))
        with pytest.raises(LinkError, match="certificate verify failed"):
            await side.uplink.run()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with running(side.recorder.run, side.uplink.run):
            await until(lambda: side.uplink.published == 1)


async def test_home_assistant_is_told_of_every_point(broker: Broker, tmp_path: Path) -> None:
    listener = Listener(broker.port, "homeassistant/#")
    slow = Sample("meter", sample(2).stamp, (Point("meter", "grid_imported_wh"), POINTS[0]), (1, 2), bytes(2))
    async with (
        publishing(tmp_path / "g.db", settings(broker, home_assistant=True)) as side,
        running(listener.run, side.recorder.run, side.keep_running),
    ):
        for taken in (sample(1), slow, sample(3)):
            side.recorder.put(taken)
        await until(lambda: side.uplink.published == 3)
        await until(lambda: len(listener.texts) >= 2)
    assert len(listener.texts) == 2  # once for each set that brought something new
    topic, text = listener.texts[-1]
    assert topic == "homeassistant/device/gridseal-meadow-meter/config"
    told = json.loads(text)
    assert (told["state_topic"], told["availability_topic"]) == (
        "gridseal/meadow/meter",
        "gridseal/meadow/status",
    )
    assert set(told["cmps"]) == {p.name for p in POINTS} | {"grid_imported_wh"}


# -- orders -----------------------------------------------------------------------------------------


async def test_orders_are_handed_on_and_answered_and_nothing_else_is_heard(
    broker: Broker, tmp_path: Path
) -> None:
    heard: list[bytes] = []

    async def judge(text: bytes) -> dict[str, object]:
        heard.append(text)
        return {"id": "0x01", "admitted": False, "reason": "no"}

    listener = Listener(broker.port)
    async with (
        publishing(tmp_path / "g.db", settings(broker), judge) as side,
        running(listener.run, side.recorder.run, side.keep_running),
    ):
        await until(lambda: ("gridseal/meadow/status", "online") in listener.texts)
        async with Client("127.0.0.1", broker.port) as sender:
            while not heard:  # until the gateway has subscribed
                await sender.publish("gridseal/meadow/order", b"first", qos=1)
                await asyncio.sleep(0.05)
            await sender.publish("gridseal/meadow/order/answer", b"forged", qos=1)
            await sender.publish("gridseal/elsewhere/order", b"not ours", qos=1)
            await sender.publish("gridseal/meadow/order", b"last", qos=1)
        await until(lambda: b"last" in heard)
        answers = [("gridseal/meadow/order/answer", json.dumps(await judge(b"")))]
        await until(lambda: set(answers) <= set(listener.texts))
    assert set(heard) == {b"first", b"last", b""}


async def test_without_a_judge_the_gateway_hears_nothing(broker: Broker, tmp_path: Path) -> None:
    listener = Listener(broker.port)
    async with (
        publishing(tmp_path / "g.db", settings(broker)) as side,
        running(listener.run, side.recorder.run, side.keep_running),
    ):
        await until(lambda: ("gridseal/meadow/status", "online") in listener.texts)
        async with Client("127.0.0.1", broker.port) as sender:
            await sender.publish("gridseal/meadow/order", b"{}", qos=1)
        side.recorder.put(sample(1))
        await until(lambda: side.uplink.published == 1)
    assert not any(topic.endswith("answer") for topic, _ in listener.texts)
