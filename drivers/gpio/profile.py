"""Profiles of pins: which line drives which relay, which line reads which contact.

They are the site's own wiring, so a technician writes one beside site.yaml; the one that ships is an example.
It refuses a line that is used twice.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivers.gpio.driver import Contact, GpioTable, Relay
from drivers.profile import Channel, ProfileBase, ShedsWhen, Strict

Line = Annotated[int, Field(ge=0, le=1023, description="offset of the line on its chip")]


class RelayModel(Strict):
    """An output. Wire the load to the contact that is closed at rest: then it runs without the gateway."""

    line: Line
    active_low: bool = Field(default=False, description="the relay pulls when the line is low")
    sheds_when: ShedsWhen = Field(default="pulled", description="in which state of the relay its load is off")


class ContactModel(Strict):
    """An input."""

    line: Line
    pull: Literal["up", "down", "none"] = "up"
    active_when: Literal["open", "closed"] = Field(
        default="open", description="open: a cut wire is a stop too; the contact closes to ground"
    )


class GpioProfile(ProfileBase):
    """Relays by channel, contacts by what they mean."""

    driver: Literal["gpio"]
    role: Literal["relay"]
    relays: dict[Channel, RelayModel] = Field(default_factory=dict)
    contacts: dict[Literal["emergency_stop"], ContactModel] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        lines = [relay.line for relay in self.relays.values()] + [c.line for c in self.contacts.values()]
        if not lines:
            raise ValueError("neither relays nor contacts: there is nothing to do")
        if twice := {line for line in lines if lines.count(line) > 1}:
            raise ValueError(f"line {min(twice)} is used twice")
        return self

    def table(self) -> GpioTable:
        """The plain form that the driver takes."""
        return GpioTable(
            self.driver,
            self.role,
            self.vendor,
            self.model,
            tuple(
                Relay(channel, r.line, r.active_low, r.sheds_when == "pulled")
                for channel, r in self.relays.items()
            ),
            tuple(
                Contact(name, c.line, c.pull, c.active_when == "open") for name, c in self.contacts.items()
            ),
        )
