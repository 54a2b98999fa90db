"""The pins themselves, through libgpiod (extra `gpio`): claimed once, given back at the end.

Not run in the tests: no machine of theirs has pins. It holds no logic for that reason.
"""

from typing import Any

from drivers.gpio.driver import GpioTable
from gateway.errors import ConfigError, LinkError


class GpioLink:
    """gateway.driver.Link and drivers.gpio.driver.Lines of one chip."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._request: Any = None
        self._active: Any = None

    def open(self, table: GpioTable) -> None:
        if self._request is not None:
            return
        try:
            import gpiod
            from gpiod.line import Bias, Direction, Value
        except ModuleNotFoundError as error:
            raise ConfigError('pins need the library gpiod: pip install "gridseal[gpio]"') from error
        pulls = {"up": Bias.PULL_UP, "down": Bias.PULL_DOWN, "none": Bias.DISABLED}
        self._active = Value
        config: Any = {
            relay.line: gpiod.LineSettings(
                direction=Direction.OUTPUT, active_low=relay.active_low, output_value=Value.INACTIVE
            )
            for relay in table.relays
        } | {
            contact.line: gpiod.LineSettings(direction=Direction.INPUT, bias=pulls[contact.pull])
            for contact in table.contacts
        }
        chip = self.url.removeprefix("gpio://")
        try:
            self._request = gpiod.request_lines(chip, consumer="gridseal", config=config)
        except OSError as error:
            raise LinkError(f"{chip}: its lines cannot be claimed: {error.strerror or error}") from error

    def get(self, line: int) -> bool:
        try:
            return bool(self._claimed.get_value(line) == self._active.ACTIVE)
        except OSError as error:
            raise LinkError(f"{self.url}: line {line} cannot be read: {error.strerror or error}") from error

    def set(self, line: int, active: bool) -> None:
        try:
            self._claimed.set_value(line, self._active.ACTIVE if active else self._active.INACTIVE)
        except OSError as error:
            raise LinkError(f"{self.url}: line {line} cannot be set: {error.strerror or error}") from error

    @property
    def _claimed(self) -> Any:
        if self._request is None:
            raise LinkError(f"{self.url}: its lines are not claimed")
        return self._request

    async def close(self) -> None:
        if self._request is not None:
            self._request.release()
            self._request = None
