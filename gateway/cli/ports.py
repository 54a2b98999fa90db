"""Serial ports by names that move: what `gridseal check` says of them, and the names here that do not.

It looks at this machine alone: on another one there may be nothing to propose.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from gateway.cli import proposal
from gateway.site import Device

NUMBERED = re.compile(r"/dev/tty(?:USB|ACM)\d+")  # in the order in which they were plugged in


def notes(devices: Iterable[Device], folder: Path = proposal.BY_ID) -> Iterator[str]:
    """One of each port whose name is another adapter's after the next start."""
    for path in dict.fromkeys(urlsplit(device.link).path for device in devices):
        if NUMBERED.fullmatch(path):
            yield f"{path} may be another adapter after the next start: {_instead(path, folder)}"


def _instead(path: str, folder: Path) -> str:
    name = proposal.by_id(path, folder)
    if name != path:
        return f"write {name}"
    here = ", ".join(sorted(p.name for p in folder.iterdir())) if folder.is_dir() else ""
    return f"write its name in {folder}" + (f"; here are: {here}" if here else "")
