"""Who advertises nearby, by a virtual radio under bleak: recognised by the service that a profile names."""

from drivers.ble import PLUGIN
from drivers.ble.nearby import nearby
from drivers.ble.radio import Radio
from gateway.recognising import Nearby
from tests.drivers.ble_air import Bms
from tests.drivers.ble_bench import ADDRESS, OTHER, bench, profile
from tests.sim.loop import run


def test_a_board_is_known_by_its_service_and_others_are_told():
    async def main(clock):
        async with bench(clock, ADDRESS) as (air, _, _):
            await Bms(air, OTHER, {}, service="180f").start()
            profiles = {"jbd_ble": profile("jbd_ble"), "daly_ble": profile("daly_ble")}
            return await nearby(Radio("hci0", air.stack), 3, profiles), await nearby(
                Radio("hci1", air.stack), 3, profiles
            )

    found, elsewhere = run(main)
    by_link = {one.link: one for one in found}
    board = by_link[f"ble://{ADDRESS}"]
    assert [m.profile for m in board.matches] == ["jbd_ble"] and board.matches[0].role == "battery"
    assert board.name.startswith("BMS") and board.rssi < 0
    assert not by_link[f"ble://{OTHER}"].matches
    assert f"ble://{ADDRESS}?adapter=hci1" in {one.link for one in elsewhere}


def test_the_plugin_says_so():
    assert isinstance(PLUGIN, Nearby)
