"""Against node-opcua: reading, being told, writing, what a server may get wrong, and lost connections."""

import asyncio
import contextlib
import math
import random
import signal
import ssl
from dataclasses import replace

import pytest

from drivers.opcua import PLUGIN
from drivers.opcua.codec import Heard
from drivers.opcua.driver import OpcUaDriver
from drivers.opcua.feed import Item
from drivers.opcua.node import STANDARD, parse
from drivers.opcua.session import Session
from drivers.opcua.url import parse as parse_url
from gateway.clock import SystemClock
from gateway.errors import DeviceRefused, LinkError
from gateway.model import Quality, ReadBack
from gateway.site import Device
from tests.drivers import opcua_bench
from tests.drivers.opcua_bench import NAMESPACE, PROFILE, proxied
from tests.drivers.test_opcua_profile import changed, model

CLOCK = SystemClock()
POWER = parse("s=Control.Power", NAMESPACE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("opcua")


@pytest.fixture(scope="module")
def peer(folder):
    with opcua_bench.server(folder) as running:
        yield running


@contextlib.asynccontextmanager
async def device(url, text=PROFILE, **more):
    """A driver on a link of its own."""
    table = model(text).table()
    found = Device("ess", "ess5", "opcua", "inverter", url, table, **{"control": False, **more})
    link = PLUGIN.open_link(url, CLOCK)
    try:
        yield PLUGIN.driver(found, table, link, CLOCK)
    finally:
        await link.close()


@contextlib.asynccontextmanager
async def session(url, **more):
    opened = Session(parse_url(url), CLOCK, **more)
    try:
        await opened.open(10)
        yield opened
    finally:
        await opened.close()


def der(identity):
    return ssl.PEM_cert_to_DER_cert(identity.certificate.read_text())


async def within(wait_s, *, fails=False, of):
    """Read until it works, or fails; what came."""
    async with asyncio.timeout(wait_s):
        while True:
            try:
                sample = await of.read()
                if not fails:
                    return sample
            except LinkError as error:
                if fails:
                    return error
            await asyncio.sleep(0.05)


async def test_every_kind_of_node_is_read(peer):
    async with device(peer.url) as ess:
        found = await ess.connect()
        assert found["serial"] == "SN-0042" and found["certificate"] == f"sha256:{peer.identity.fingerprint}"
        ess.refresh()
        sample = await ess.read()
    assert sample.qualities == bytes(5) and sample.values[1:] == (0, 51200, 300, 2150)
    assert sample.values[0] in range(4900, 5100)


async def test_the_standards_own_namespace_has_a_name_too(peer):
    async with session(peer.url) as opened:
        state = parse(f"nsu={STANDARD};i=2259")  # Server_ServerStatus_State: running
        assert (await opened.read([state], 5))[0].value == 0


async def test_a_namespace_that_is_not_there_is_said_and_leaves_no_session_behind(peer):
    before = peer.tell("sessions")
    async with device(peer.url, changed(namespace="urn:of:nobody", setpoint=None)) as ess:
        with pytest.raises(LinkError, match=r"no namespace 'urn:of:nobody'; it has: .*urn:gridseal:test:ess"):
            await ess.connect()
    assert peer.tell("sessions") == before


async def test_a_node_that_is_not_there_is_absent_and_the_others_are_not(peer):
    points = {"battery_soc_bp": {"node": "s=Battery.SoC", "type": "Double", "scale": 100}}
    points["pv_power_w"] = {"node": "s=Not.There", "type": "Double"}
    for updates in ("asked", "subscribed"):
        async with device(peer.url, changed(points=points, setpoint=None, updates=updates)) as ess:
            await ess.connect()
            assert list((await ess.read()).qualities) == [Quality.GOOD, Quality.ABSENT]


async def test_a_subscription_tells_changes_and_that_the_server_is_alive(peer):
    async with device(peer.url, changed(updates="subscribed"), poll_ms=200) as ess:
        await ess.connect()
        first = await ess.read()
        for _ in range(3):
            assert (await ess.read()).values == first.values
        peer.tell("set", {"soc": 55})
        async with asyncio.timeout(10):
            while (await ess.read()).values[0] != 5500:
                pass
        peer.tell("set", {"soc": 50})


@pytest.mark.parametrize("interval", [math.nan, math.inf, -math.inf])
async def test_an_interval_that_is_no_number_is_trouble(peer, monkeypatch, interval):
    async with session(peer.url) as opened:
        inner = opened._client.uaclient.session
        asked = inner.create_subscription

        async def revised(*words):
            made = await asked(*words)
            made.RevisedPublishingInterval = interval
            return made

        monkeypatch.setattr(inner, "create_subscription", revised)
        with pytest.raises(LinkError, match="cannot be understood"):
            await opened.subscribe([Item(POWER, 100)], 100, 5)
        assert not opened.alive


async def test_two_devices_share_a_session_and_each_hears_its_own(peer):
    url, before = peer.url, peer.tell("sessions")  # those that were broken off are kept for a while
    table = model(changed(updates="subscribed", setpoint=None)).table()
    link = PLUGIN.open_link(url, CLOCK)
    one, two = (
        OpcUaDriver(Device(name, "p", "opcua", "inverter", url, table, poll_ms=200), table, link, CLOCK)
        for name in ("one", "two")
    )
    try:
        await one.connect()
        await two.connect()
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            tasks = [group.create_task(ess.read()) for ess in (one, two) for _ in range(3)]
        assert {task.result().device for task in tasks} == {"one", "two"}
        now = peer.tell("sessions")
        assert [now[name] - before[name] for name in ("sessions", "subscriptions")] == [1, 2]
        assert link.counters.sessions == 1
        await one.connect()  # again, as after an error of its own
        await one.read()
        await two.read()
        again = peer.tell("sessions")
        assert [again[name] - before[name] for name in ("sessions", "subscriptions")] == [1, 2]
    finally:
        await link.close()
    assert peer.tell("sessions") == before


@pytest.mark.parametrize("mode", ["sign", "encrypt"])
async def test_a_setpoint_is_written_as_its_type_and_read_back(peer, folder, mode):
    peer.tell("state")
    pin = {"server": peer.identity.certificate} if mode == "sign" else {}
    async with device(peer.secure(folder / "client", mode=mode, **pin), control=True) as ess:
        await ess.connect()
        assert ess.setpoint.charge_max_w == 5000
        await ess.write_power(-1234)
        assert await ess.read_back() == ReadBack(-1234, True)
        state = peer.tell("state")
        assert state["writes"] == [["Order", 1.234], ["Beat", 1], ["Mode", 2]]
        await ess.release()
        assert await ess.read_back() == ReadBack(0, False)


async def test_what_a_device_refuses_is_not_an_outage(peer, folder):
    async with session(peer.secure(folder / "client")) as opened:
        with pytest.raises(DeviceRefused, match=r"s=Control\.Power is not written: BadTypeMismatch"):
            await opened.write(POWER, "Int32", 1, 5)
        peer.tell("set", {"refuse": "BadOutOfRange"})
        with pytest.raises(DeviceRefused, match="BadOutOfRange"):
            await opened.write(POWER, "Double", 1e9, 5)
        peer.tell("set", {"refuse": "BadDeviceFailure"})
        with pytest.raises(LinkError, match="BadDeviceFailure"):
            await opened.write(POWER, "Double", 1.0, 5)
        peer.tell("set", {"refuse": None})
        assert opened.alive
        await opened.write(POWER, "Double", 0.0, 5)


@pytest.mark.parametrize(
    ("type_", "value", "status", "found"),
    [
        ("Double", 12.5, "Good", (12, Quality.GOOD, 0)),
        ("Double", "NaN", "Good", (0, Quality.ABSENT, 0)),
        ("Double", "Infinity", "Good", (0, Quality.ABSENT, 0)),
        ("Double", 1e300, "Good", (2**63 - 1, Quality.INVALID, 0)),
        ("Double", 7, "BadSensorFailure", (0, Quality.INVALID, 0)),
        ("Double", 7, "UncertainLastUsableValue", (7, Quality.INVALID, 0)),
        ("Float", 12.5, "Good", (0, Quality.INVALID, 1)),
        ("String", "12.5", "Good", (0, Quality.INVALID, 1)),
        ("Int32", 12, "Good", (0, Quality.INVALID, 1)),
        ("Boolean", True, "Good", (0, Quality.INVALID, 1)),
        ("Double", [1, 2, 3], "Good", (0, Quality.INVALID, 1)),
        ("LocalizedText", {"text": "12.5"}, "Good", (0, Quality.INVALID, 1)),
        ("Null", None, "Good", (0, Quality.ABSENT, 0)),
    ],
)
async def test_what_a_server_may_say_of_a_node_is_a_reading_only_if_it_is_one(
    peer, type_, value, status, found
):
    peer.put(type_, value, status)
    points = {"grid_power_w": {"node": "s=Hostile", "type": "Double"}}
    points["battery_power_w"] = {"node": "s=Battery.Power", "type": "Double", "scale": 1000}
    async with device(peer.url, changed(points=points, setpoint=None)) as ess:
        await ess.connect()
        before = ess.dropped
        sample = await ess.read()
    assert (sample.values[0], sample.qualities[0], ess.dropped - before) == found
    assert sample.qualities[1] == Quality.GOOD


async def test_values_that_stay_as_they_were_long_ago_are_stale(peer):
    for updates in ("asked", "subscribed"):
        text = changed(updates=updates, source_age_s=2, setpoint=None)
        async with device(peer.url, text, poll_ms=200) as ess:
            await ess.connect()
            for _ in range(3):
                assert (await ess.read()).qualities[0] == Quality.GOOD
                await asyncio.sleep(0.2 if updates == "asked" else 0)
            peer.tell("freeze", True)
            async with asyncio.timeout(10):
                while (await ess.read()).qualities[0] != Quality.STALE:
                    await asyncio.sleep(0.05)
            peer.tell("freeze", False)
            async with asyncio.timeout(10):
                while (await ess.read()).qualities[0] != Quality.GOOD:
                    await asyncio.sleep(0.05)


async def test_another_certificate_is_refused_before_anything_is_sent(peer, folder):
    before = peer.tell("sessions")
    pin = peer.secure(folder / "client").replace(peer.identity.fingerprint, "ab" * 32)
    async with device(pin, control=True) as ess:
        with pytest.raises(LinkError, match=f"shows the certificate sha256:{peer.identity.fingerprint}, not"):
            await ess.connect()
    assert peer.tell("sessions") == before


async def test_who_shows_the_right_certificate_without_its_key_is_found_out(peer, folder):
    """As somebody in between would: what the device shows is put in place of its own."""
    pinned = opcua_bench.identity(folder / "pinned", "inverter")
    shown = {der(peer.identity): der(pinned)}

    def disguised(data):
        for own, other in shown.items():
            data = data.replace(own, other)
        return data

    peer.tell("state")
    async with proxied(peer.port, disguised) as proxy:
        url = peer.secure(folder / "client", port=proxy.port)
        async with device(url.replace(peer.identity.fingerprint, pinned.fingerprint), control=True) as ess:
            with pytest.raises(LinkError) as caught:
                await ess.connect()
    assert "shows the certificate" not in str(caught.value)
    assert peer.tell("state")["writes"] == []


async def test_a_forged_byte_is_never_a_value(peer, folder):
    forger, armed = random.Random(7), False

    def forged(data):
        if not armed:
            return data
        at = forger.randrange(len(data))
        return data[:at] + bytes([data[at] ^ (1 + forger.randrange(255))]) + data[at + 1 :]

    voltage = parse("i=1002", NAMESPACE)
    for mode in ("sign", "encrypt"):
        async with proxied(peer.port, forged) as proxy:
            url = peer.secure(folder / "client", mode=mode, port=proxy.port)
            for _ in range(5):
                armed = False
                async with session(url) as opened:
                    armed = True
                    with pytest.raises(LinkError):
                        await opened.read([voltage], 0.3)


async def test_keys_are_renewed_while_others_wait(peer, folder):
    async with session(peer.secure(folder / "client"), channel_ms=1500) as opened:
        soc = parse("s=Battery.SoC", NAMESPACE)
        feed, silence_ms = await opened.subscribe([Item(soc, 100)], 100, 5)
        assert silence_ms <= 1000
        renewed = opened._renew_ms
        until_ms = CLOCK.mono_ms() + 3000
        while CLOCK.mono_ms() < until_ms:
            feed.fresh = False
            await asyncio.gather(opened.hear(feed, 5), opened.read([soc], 5))
        assert opened._renew_ms > renewed + 1000
        await opened.write(POWER, "Double", 0.0, 5)


@pytest.mark.parametrize("updates", ["asked", "subscribed"])
async def test_a_cut_cable_is_noticed_and_forgotten(peer, folder, updates):
    async with proxied(peer.port) as proxy:
        url = peer.secure(folder / "client", port=proxy.port)
        async with device(url, changed(updates=updates), control=True, timeout_ms=2000) as ess:
            await ess.connect()
            await ess.read()
            await proxy.cut()
            assert "opc.tcp://127.0.0.1" in str(await within(10, fails=True, of=ess))
            await proxy.start()
            if ess.pushed:
                await ess.connect()
            assert (await within(10, of=ess)).qualities[0] == Quality.GOOD
            await ess.release()
            await ess.write_power(1000)
            assert await ess.read_back() == ReadBack(1000, True)
            await ess.release()


@pytest.mark.parametrize("updates", ["asked", "subscribed"])
async def test_a_server_that_hangs_is_noticed_in_seconds(peer, updates):
    async with device(peer.url, changed(updates=updates, setpoint=None), timeout_ms=500, poll_ms=200) as ess:
        await ess.connect()
        await ess.read()
        peer.signal(signal.SIGSTOP)
        try:
            assert "no answer within" in str(await within(10, fails=True, of=ess))
        finally:
            peer.signal(signal.SIGCONT)
        if ess.pushed:
            async with asyncio.timeout(10):
                while True:
                    with contextlib.suppress(LinkError):
                        await ess.connect()
                        break
        assert (await within(10, of=ess)).qualities[0] == Quality.GOOD


async def test_a_setpoint_that_was_not_answered_in_time_never_arrives(peer, folder):
    peer.tell("state")
    async with (
        proxied(peer.port) as proxy,
        session(peer.secure(folder / "client", port=proxy.port)) as opened,
    ):
        proxy.stall()
        with pytest.raises(LinkError, match=r"no answer within 0\.3 s"):
            await opened.write(POWER, "Double", 3.0, 0.3)
        assert not opened.alive
        with pytest.raises(LinkError, match="the session is over"):
            await opened.write(POWER, "Double", 4.0, 5)
        async with asyncio.timeout(10):
            while not proxy.reset:
                await asyncio.sleep(0.02)
        proxy.flow()
        await asyncio.sleep(0.3)
    assert peer.tell("state")["writes"] == []


async def test_who_is_given_up_while_asking_ends_the_session(peer):
    async with session(peer.url) as opened:
        feed, _ = await opened.subscribe([Item(parse("s=Info.Serial", NAMESPACE), 1000)], 1000, 5)
        await opened.hear(feed, 5)
        feed.fresh = False
        waiting = asyncio.gather(opened.hear(feed, 60))
        await asyncio.sleep(0.1)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        assert not opened.alive  # the answer it was waiting for would be lost


async def test_a_restarted_server_with_other_indices_is_the_same_device(peer, folder):
    apart = folder / "restarted"
    apart.mkdir()
    async with proxied(peer.port) as proxy, device(f"opc.tcp://127.0.0.1:{proxy.port}") as ess:
        await ess.connect()
        with opcua_bench.server(apart, known=peer.identity, moved=True) as other:
            await proxy.cut()
            proxy.target = other.port
            await proxy.start()
            sample = await within(10, of=ess)
    assert sample.values[2:4] == (51200, 300) and sample.qualities[:4] == bytes(4)


async def test_the_value_heard_has_its_times(peer):
    async with session(peer.url) as opened:
        found = (await opened.read([parse("i=1002", NAMESPACE)], 5))[0]
    assert replace(found, source_ms=None) == Heard("Float", pytest.approx(51.2, abs=1e-4))
    assert abs(CLOCK.now().wall_ms - found.source_ms) < 60_000
