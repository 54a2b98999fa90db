"""A second setpoint beside power: the rest of it is tested with reactive.py and separation.py."""

from gateway.beside import BesideWriter
from gateway.site import Device
from tests.sim import loop
from tests.sim.loop import VirtualClock
from tests.sim.mocks import MockInverter

DEVICE = Device("inverter", "mock", "mock", "inverter", "mock://", None, timer_s=7)


def test_a_device_without_it_is_served_at_once_and_for_ever() -> None:
    async def main(clock: VirtualClock) -> None:
        mock = MockInverter(clock)
        hand = BesideWriter(DEVICE, mock, clock, "pump", "rpm", lambda: False)
        await hand.serve()
        assert await hand.fallback(1)
        assert mock.log == []

    loop.run(main)


def test_its_faults_name_what_it_is_and_the_measured_time_of_power_is_not_its_own() -> None:
    async def main(clock: VirtualClock) -> None:
        mock = MockInverter(clock)
        hand = BesideWriter(DEVICE, mock, clock, "pump", "rpm", lambda: True)
        assert hand._writer.hold.device == "the pump of inverter"
        assert hand._writer._device.timer_s == 0

    loop.run(main)
