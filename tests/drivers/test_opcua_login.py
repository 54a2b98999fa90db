"""Against node-opcua: who is let in. User and password, certificates that the server has to trust; and that
a capture tells nothing of them.
"""

import asyncio
import json
import logging

import pytest

from drivers.opcua import PLUGIN
from gateway.clock import SystemClock
from gateway.errors import LinkError
from gateway.site import Device
from tests.drivers import opcua_bench
from tests.drivers.opcua_bench import NAMESPACE
from tests.drivers.test_opcua_profile import model
from tests.drivers.test_opcua_tape import Session, played

SECRET = "correct horse battery staple"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("login")
    (folder / "password").write_text(SECRET + "\n")
    (folder / "wrong").write_text("guess")
    return folder


@pytest.fixture(scope="module")
def peer(folder):
    with opcua_bench.server(folder, users={"gridseal": SECRET}) as running:
        yield running


async def connected(url):
    """What the device says it is, over a link of its own."""
    table = model().table()
    link = PLUGIN.open_link(url, SystemClock())
    device = Device("ess", "ess5", "opcua", "inverter", url, table)
    ess = PLUGIN.driver(device, table, link, SystemClock())
    try:
        found = await ess.connect()
        await ess.write_power(0)
    finally:
        await link.close()
    return found


@pytest.mark.parametrize("mode", ["sign", "encrypt"])
async def test_a_name_with_its_password_is_let_in(peer, folder, mode):
    url = peer.secure(folder / "client", mode=mode, user="gridseal", password=folder / "password")
    assert (await connected(url))["serial"] == "SN-0042"


@pytest.mark.parametrize(("user", "file"), [("gridseal", "wrong"), ("nobody", "password")])
async def test_a_wrong_one_is_told_from_an_outage(peer, folder, caplog, user, file):
    caplog.set_level(logging.DEBUG)
    url = peer.secure(folder / "client", user=user, password=folder / file)
    with pytest.raises(LinkError, match=f"does not let in {user}") as caught:
        await connected(url)
    assert SECRET not in caplog.text + str(caught.value) and "guess" not in caplog.text + str(caught.value)


async def test_a_password_file_that_is_missing_is_said(peer, folder):
    url = peer.secure(folder / "client", user="gridseal", password=folder / "none")
    with pytest.raises(LinkError, match="none cannot be read: No such file"):
        await connected(url)


async def test_nobody_without_a_name_is_let_in_by_a_server_that_wants_one(peer, folder):
    with pytest.raises(LinkError, match="does not let in anybody without a name"):
        await connected(peer.secure(folder / "client"))


async def test_a_server_that_does_not_know_this_gateway_says_what_to_do(peer, folder):
    peer.tell("trust", False)
    url = peer.secure(folder / "stranger", user="gridseal", password=folder / "password")
    try:
        with pytest.raises(LinkError, match=r"does not trust this gateway .*: have it trust .*stranger\.der"):
            await connected(url)
    finally:
        peer.tell("trust", True)
    assert (await connected(url))["serial"] == "SN-0042"


@pytest.mark.parametrize("updates", ["asked", "subscribed"])
async def test_a_session_is_played_from_a_capture_that_holds_nothing_of_who_we_are(peer, folder, updates):
    url = peer.secure(folder / "client", user="gridseal", password=folder / "password")
    link = PLUGIN.open_link(url, SystemClock())
    session = Session(link, SystemClock(), updates=updates)
    session.tap.sink = session.events.append
    try:
        await session.connect()
        await session.poll(3)
    finally:
        await link.close()
    text = json.dumps(session.events).replace(NAMESPACE, "")
    for word in (SECRET, "gridseal", str(folder), peer.identity.fingerprint, "BEGIN"):
        assert word not in text
    found = await played(session.events, updates=updates)
    assert found.recorded == 3 and found.identity["serial"] == "SN-0042"


async def test_two_devices_of_one_session_are_played_each_by_itself(peer, folder):
    """Either may be told by what the other asked for."""
    url = peer.secure(folder / "client", user="gridseal", password=folder / "password")
    link = PLUGIN.open_link(url, SystemClock())
    both = [Session(link, SystemClock(), updates="subscribed") for _ in range(2)]
    try:
        for session in both:
            await session.connect()
        await asyncio.gather(*(session.poll(2) for session in both))
        for session in both:
            session.record()
        await asyncio.gather(*(session.poll(4) for session in both))
    finally:
        await link.close()
    for session in both:
        assert (await played(session.events, updates="subscribed")).recorded == 4
