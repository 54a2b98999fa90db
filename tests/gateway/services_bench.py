"""What the laws' tests share: a law's answer to a few measurements, and the promise that every law keeps."""

from gateway.model import Limits, ServiceKind
from gateway.services import LAWS, Inputs

MOST = Limits(7000, 8000)


def target(kind: ServiceKind, parameters: dict[str, int], **inputs: int | None) -> int | None:
    """What the law of `kind` asks for, W, + discharge."""
    return LAWS[kind].target(parameters, Inputs(**inputs))


def inside_reach(kind: ServiceKind, parameters: dict[str, int], most: Limits, wanted: int | None) -> bool:
    """Whether a law kept its promise; what `most` forbids is the envelope's to cut, not the law's."""
    reach = LAWS[kind].reach(parameters, most)
    assert reach.charge_w >= 0
    assert reach.discharge_w >= 0
    return wanted is None or -reach.charge_w <= wanted <= reach.discharge_w
