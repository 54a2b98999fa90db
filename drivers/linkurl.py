"""The options of a link URL, whatever the link: each at most once, and only those that it knows.

It refuses with one ConfigError that says what to write; what an option may say is the protocol's.
"""

from collections.abc import Collection
from difflib import get_close_matches
from urllib.parse import parse_qsl

from gateway.errors import ConfigError


def options(url: str, query: str) -> dict[str, str]:
    """What is written behind the question mark of `url`."""
    pairs = parse_qsl(query, keep_blank_values=True)
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ConfigError(f"link {url!r}: an option is given twice")
    return found


def options_of(url: str, query: str, known: Collection[str]) -> dict[str, str]:
    """The same, of these alone; a slip of the pen is told what it was near to."""
    found = options(url, query)
    for name in found:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f", did you mean {near[0]!r}?" if near else f", known are {', '.join(sorted(known))}"
            raise ConfigError(f"link {url!r}: unknown option {name!r}{hint}")
    return found
