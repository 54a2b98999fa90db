"""Equivalent full cycles: throughput in units of a full charge and a full discharge. Pure.

It does not count depth: ten cycles of a tenth are one, though they wear less. It refuses to count without a
capacity to count in.
"""


def cycles_milli(charged_wh: int, discharged_wh: int, capacity_wh: int | None) -> int | None:
    """Thousandths of a cycle."""
    if not capacity_wh:
        return None
    return ((charged_wh + discharged_wh) * 1000 + capacity_wh) // (2 * capacity_wh)
