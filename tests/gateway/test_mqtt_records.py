"""The newest signed record at a real broker: retained, so that whoever comes finds it."""

import json
from pathlib import Path

import pytest

from gateway.evidence.shown import shown
from gateway.store import records
from gateway.uplink import mqtt
from tests.chain.people import Attestor, interval
from tests.chain.world import KeySigner
from tests.gateway.test_mqtt import Broker, Listener, broker, publishing, running, settings, until

__all__ = ["broker"]  # the fixture


async def test_the_newest_signed_record_is_retained(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "RECORD_S", 0.02)
    async with publishing(tmp_path / "g.db", settings(broker)) as side:
        attestor = Attestor(side.store, KeySigner("0x" + "5a" * 32), 31337, "0x" + "aa" * 20)
        await attestor.attest(interval(0))
        async with running(side.keep_running):
            first = Listener(broker.port, "gridseal/meadow/record")
            async with running(first.run):
                await until(lambda: len(first.texts) == 1)
                await attestor.attest(interval(1))
                await until(lambda: len(first.texts) == 2)
        record = await side.store.call(records.last_signed)
    late = Listener(broker.port, "gridseal/meadow/record")
    async with running(late.run):
        await until(lambda: len(late.texts) == 1)
    assert json.loads(late.texts[0][1]) == shown(record)
