"""The rig as a whole: what it says of itself, that it steps by itself, that it ends whatever happens."""

import asyncio

import pytest
from rig.site import Options, Rig

from tests.rig.raw import connected, running


async def test_time_passes_without_anybody_asking():
    async with running(speed=3600) as rig:
        before = rig.plant.state.second
        await asyncio.sleep(0.5)
        assert rig.plant.state.second > before + 600


async def test_it_runs_with_every_wire_at_once_and_twice_in_a_row(tmp_path):
    for _ in range(2):
        async with running(pty=True, slcan=True, control=tmp_path / "c") as rig:
            assert {"device", "units", "tcp", "pty", "slcan", "control"} == set(rig.where())
            assert not rig.plant.publishes  # the BMS speaks for itself


async def test_an_error_in_the_body_leaves_as_it_is():
    with pytest.raises(KeyError):
        async with Rig(Options(pty=True)):
            raise KeyError("from the body")


async def test_it_ends_with_connections_open():
    async with running() as rig, connected(rig):
        await asyncio.sleep(0)
    assert rig.plant.witness.writes == 0
