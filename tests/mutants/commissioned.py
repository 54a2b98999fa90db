"""The guards of commissioning, each taken away once: a part of `table.py`, whose words hold here too."""

from tests.mutants.mutant import SETPOINT, Mutant

ALONE = ("test_setpoint_alone.py",)

COMMISSIONED = (
    Mutant(
        4,
        "a measured timer that is shorter counts",
        SETPOINT,
        "for s in (*claimed, proven.obeyed_s, proven.reverted_s) if s > 0",
        "for s in claimed if s > 0",
        ALONE,
    ),
    Mutant(
        4,
        "a timer that was not found is not counted on",
        SETPOINT,
        "ends_s = 0 if proven.endless else max(doubt_s, *known, 0)",
        "ends_s = max(doubt_s, *known, 0)",
        ALONE,
    ),
    Mutant(
        4,
        "left alone it is no longer than was agreed",
        SETPOINT,
        "if not asked or now_ms >= self._alone_until_ms or",
        "if not asked or",
        ALONE,
    ),
    Mutant(
        7,
        "a device that is another than when commissioned takes no power",
        SETPOINT,
        "        if text:\n            self._fault(text)",
        "        if False:\n            self._fault(text)",
        ALONE,
    ),
    Mutant(
        7,
        "no operator clears that",
        SETPOINT,
        "self._change(fault=self._distrusted, foreign=False, phase=Phase.UNKNOWN)",
        'self._change(fault="", foreign=False, phase=Phase.UNKNOWN)',
        ALONE,
    ),
    Mutant(
        7,
        "another serial number is another device",
        "gateway/certified.py",
        "if (now.vendor, now.model, now.serial) == (was.vendor, was.model, was.serial):",
        "if (now.vendor, now.model) == (was.vendor, was.model):",
        ("test_certified.py",),
    ),
    Mutant(
        7,
        "a meter that turned is found",
        "gateway/metersign.py",
        "return self.contrary >= CONTRARY_MAX",
        "return False",
        ("test_metersign.py",),
    ),
    Mutant(
        8,
        "after it was left alone the fallback comes first",
        SETPOINT,
        "            self._lease = None\n            self._change(alone=False, phase=Phase.UNKNOWN)",
        "            self._change(alone=False)",
        ALONE,
    ),
)
