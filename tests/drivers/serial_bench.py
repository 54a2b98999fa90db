"""A BMS that is played on a pty: answers what it was taught, with echo, noise and neighbours."""

import asyncio
import os
import tty
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.resources import files

import yaml

from drivers.serial import PLUGIN
from gateway.clock import SystemClock
from gateway.site import Device


class Peer:
    """`answers` maps a whole request to what is said for it; a list is said in pieces, 5 ms apart. `echo`
    gives back what was sent, as some adapters do; `before` is said ahead of every answer."""

    def __init__(self, answers):
        self.answers = dict(answers)
        self.echo = False
        self.before = b""
        self.heard = []  # requests, whole
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self.slave)
        self._buffer = b""
        self.loop = asyncio.get_running_loop()
        self.loop.add_reader(self.master, self._on_readable)

    def say(self, data):
        if self.master is not None:
            os.write(self.master, data)

    def unplug(self):
        if self.master is not None:
            self.loop.remove_reader(self.master)
            os.close(self.master)
            os.close(self.slave)
            self.master = None

    def _on_readable(self):
        try:
            data = os.read(self.master, 4096)
        except OSError:  # nobody has it open
            self.loop.remove_reader(self.master)
            return
        if self.echo:
            self.say(data)
        self._buffer += data
        for request in sorted(self.answers, key=len, reverse=True):
            if self._buffer.endswith(request):
                self.heard.append(request)
                self._buffer = b""
                self._answer(self.answers[request])
                return

    def _answer(self, said):
        if callable(said):
            said = said()
        pieces = [said] if isinstance(said, bytes) else said
        self.say(self.before)
        for number, piece in enumerate(pieces):
            self.loop.call_later(0.005 * number, self.say, piece)


def shipped(name):
    """What a shipped profile says."""
    return yaml.safe_load(files("drivers.profiles").joinpath(f"{name}.yaml").read_text())


def hurry(driver, timeout_ms=150):
    """Wait no longer than this from now on: for what is not going to be answered."""
    driver._device = replace(driver._device, timeout_ms=timeout_ms)


def device(path, *, name="bms", unit=1, timeout_ms=5_000, profile="jbd_serial"):
    return Device(
        name, profile, "serial", "battery", f"serial://{path}", None, unit=unit, timeout_ms=timeout_ms
    )


@asynccontextmanager
async def plugged(answers, options=""):
    peer = Peer(answers)
    link = PLUGIN.open_link(f"serial://{peer.path}{options}", SystemClock())
    try:
        async with asyncio.timeout(30):
            yield peer, link
    finally:
        await link.close()
        peer.unplug()
