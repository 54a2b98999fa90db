"""What the laws' tests share: a law's answer to a few measurements, and the promise that every law keeps."""

from hypothesis import strategies as st

from gateway.model import Command, Limits, ServiceKind, Source
from gateway.services import LAWS, Inputs, Wish, complete, problem

MOST = Limits(7000, 8000)
# Whatever a device may send, or nothing.
anything = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.integers(-100_000, 100_000))
inputs = st.builds(Inputs, *[anything] * (len(Inputs.__dataclass_fields__) - 2), now_ms=st.integers(0, 10**9))


def wish(kind: ServiceKind, parameters: dict[str, int], **measured: int | None) -> Wish | None:
    """What the law of `kind` wishes; what `parameters` leave out is at its default."""
    return LAWS[kind].wish(complete(kind, parameters), Inputs(**measured))


def power(kind: ServiceKind, parameters: dict[str, int], **measured: int | None) -> int | None:
    """The battery power it asks for, W, + discharge."""
    wished = wish(kind, parameters, **measured)
    return None if wished is None else wished.power_w


def error(
    kind: ServiceKind, parameters: dict[str, int], asked_w: int = 0, **measured: int | None
) -> int | None:
    return LAWS[kind].error_w(complete(kind, parameters), Inputs(**measured), asked_w)


def wrong(kind: ServiceKind, parameters: dict[str, int]) -> str:
    """What is wrong with the parameters, after the defaults."""
    return problem(Command("00" * 32, Source.CHAIN, kind, 0, 1, complete(kind, parameters)))


def inside_reach(kind: ServiceKind, parameters: dict[str, int], most: Limits, wanted: int | None) -> bool:
    """Whether a law kept its promise; what `most` forbids is the envelope's to cut, not the law's."""
    reach = LAWS[kind].reach(complete(kind, parameters), most)
    assert reach.charge_w >= 0
    assert reach.discharge_w >= 0
    return wanted is None or -reach.charge_w <= wanted <= reach.discharge_w
