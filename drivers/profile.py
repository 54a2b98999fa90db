"""What every device profile states, whatever its bus. A profile is data, never a template.

Each protocol package extends ProfileBase with its own points and setpoint; unknown keys are refused.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """Base of all profile models: no unknown keys, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProfileBase(Strict):
    """Identity, provenance and honesty of a profile."""

    driver: str = Field(description="driver family: modbus, sunspec, can")
    role: Literal["inverter", "battery", "meter"]
    vendor: str
    model: str
    sources: Annotated[list[str], Field(min_length=1)] = Field(
        description="public documents or code bases that agree on these facts; two, or one and a note"
    )
    proof: Literal["simulated", "recorded", "hardware"] = Field(description="how far it has been proven")
    enable: str = Field(default="", description="what to switch on in the device first")
    notes: str = ""
