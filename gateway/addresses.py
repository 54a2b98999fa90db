"""Networks and ranges of addresses as people write them: 192.168.1.0/26, 192.168.1.10-60.

Pure. Who may be asked at them is said elsewhere; it refuses, with a ValueError, more addresses than somebody
may want to ask.
"""

from contextlib import suppress
from ipaddress import IPv4Address, ip_address, ip_network

LOOK_MAX = 256  # where a device may be looked for by itself: a /24


def literal(host: str) -> bool:
    """Whether it is an address, which nobody has to be asked for."""
    with suppress(ValueError):
        ip_address(host.partition("%")[0])
        return True
    return False


def spread(text: str, most: int) -> list[str]:
    """The addresses of a network or a range, at most so many; none of anything else."""
    if "/" in text:
        network = ip_network(text, strict=False)
        if network.num_addresses > most:
            raise ValueError(f"more than {most} addresses")
        return [str(a) for a in network.hosts()] or [str(network.network_address)]
    first, dash, last = text.partition("-")
    if not (dash and last.isdigit() and first.replace(".", "").isdigit()):
        return []
    start = IPv4Address(first)
    end = int(start) & ~0xFF | int(last)
    if not int(last) <= 255 or end < int(start):
        raise ValueError("the range ends before it begins")
    return [str(IPv4Address(n)) for n in range(int(start), end + 1)]


def own(text: str) -> tuple[str, ...]:
    """Where one may look again and again: a network, range or address that is not of the internet."""
    found = spread(text, LOOK_MAX) or [str(ip_address(text))]
    for address in found:
        if ip_address(address).is_global or ip_address(address).is_multicast:
            raise ValueError(f"{address} is not an address of a network of one's own")
    return tuple(found)
