"""The guards of several batteries, of the meter between them, of reactive power and of a grid that is gone,
each taken away once: a part of `table.py`, whose words hold here too."""

from tests.mutants.mutant import Mutant

MEMBER, REACTIVE, OUTAGE = "gateway/member.py", "gateway/reactive_limit.py", "gateway/outage.py"
BATTERIES = ("test_member.py", "test_control_batteries.py")
GONE = ("test_outage.py",)

TOGETHER = (
    Mutant(
        1,
        "a battery that was lost keeps its last power",
        MEMBER,
        "return NOTHING if ends_ms and now_ms - self._left_ms > ends_ms + settle_ms else self._left",
        "return self._left if self.hold.online else NOTHING",
        BATTERIES,
    ),
    Mutant(
        1,
        "until its timer has surely ended it",
        MEMBER,
        "now_ms - self._left_ms > ends_ms + settle_ms",
        "now_ms - self._left_ms > ends_ms // 2",
        BATTERIES,
    ),
    Mutant(
        1,
        "a power whose answer was lost may be the old one and the new",
        MEMBER,
        "self._left = _either(self._left, _window(hold.power_w))",
        "self._left = _window(hold.power_w)",
        BATTERIES,
    ),
    Mutant(
        1,
        "a fallback that was not taken leaves the power",
        MEMBER,
        "self._left = _window(_refused_w(hold))",
        "self._left = NOTHING",
        BATTERIES,
    ),
    Mutant(
        1,
        "meter and battery are read at different moments",
        "gateway/house.py",
        "LAG_MS = 1000",
        "LAG_MS = 0",
        ("test_house.py", "test_control_house.py"),
    ),
    Mutant(
        1,
        "reactive power leaves room for the power",
        REACTIVE,
        "most = room(spec, active_w or 0)",
        "most = spec.var_max",
        ("test_reactive_limit.py",),
    ),
    Mutant(
        2,
        "beside a power that is not known there are no var",
        REACTIVE,
        "if spec.apparent_max_va and active_w is None:",
        "if False:",
        ("test_reactive_limit.py",),
    ),
    Mutant(
        6,
        "a rest in the fallback is no forgetting",
        "gateway/sense.py",
        "rest_ms=max(memory.rest_ms, hold.since_ms))",
        "rest_ms=max(memory.rest_ms, hold.since_ms), direction=0)",
        ("sim/test_found.py",),
    ),
    Mutant(
        9,
        "a grid that is gone comes before every order",
        "gateway/control.py",
        "        if self._outage:  # the batteries",
        "        if False:  # the batteries",
        ("test_control_support.py",),
    ),
    Mutant(
        9,
        "and a silence is no return of it",
        OUTAGE,
        "return before if before.lost else Outage(until_ms=now_ms + STABLE_MS)",
        "return Outage()",
        GONE,
    ),
    Mutant(
        9,
        "and it has to be back for a minute",
        OUTAGE,
        "return before if now_ms < before.until_ms else Outage()",
        "return Outage()",
        GONE,
    ),
)
