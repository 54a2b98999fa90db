"""The guards of who is written to, each taken away once: a part of `table.py`, whose words hold here too."""

from tests.mutants.mutant import Mutant

LINK = "drivers/modbus/link.py"
GUARD = ("drivers/test_modbus_guard.py",)

WHOM = (
    Mutant(
        7,
        "nothing is written on a connection on which nobody said who it is",
        LINK,
        "if connection in (None, self.counters.connects):",
        "if True:",
        GUARD,
    ),
    Mutant(
        7,
        "nor on one that is made for the write",
        LINK,
        "elif connection is None:",
        "else:",
        GUARD,
    ),
    Mutant(
        14,
        "what another device holds is no foreign value",
        "drivers/modbus/guard.py",
        "return None if known == NOBODY else known",
        "return None",
        GUARD,
    ),
    Mutant(
        7,
        "a connection that was made meanwhile is asked who it is",
        "gateway/device.py",
        "if self._device.serial and on != before:",
        "if False:",
        ("test_device.py",),
    ),
)
