"""An independent MQTT subscriber (paho) with a session that the broker keeps while it is away.

It runs on paho's own thread, so what it counts does not depend on the bench. It owns what it received and
nothing else.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion


class Listener:
    """`ids` counts each message id of the daemon; `counts` messages by the first part of the topic."""

    def __init__(self, port: int) -> None:
        self.ids: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.subscribed = False
        self._port = port
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="bench-listener", clean_session=False)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)

    def _on_subscribe(self, *_: object) -> None:
        self.subscribed = True

    def _on_message(self, _: Client, __: object, message: MQTTMessage) -> None:
        first = message.topic.partition("/")[0]
        if message.topic.endswith("/status"):
            return
        self.counts[first] += 1
        if first == "gridseal":
            self.ids[json.loads(message.payload)["id"]] += 1

    @contextmanager
    def running(self) -> Iterator["Listener"]:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        try:
            yield self
        finally:
            self._client.disconnect()
            self._client.loop_stop()
