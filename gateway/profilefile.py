"""Profiles as files: where they lie, what they name beside them, and what they say, checked.

A profile is found beside site.yaml or among the installed ones. Where it names another file by a key of its
plugin (a DBC), that file's text takes the place of its name, so that the document holds all that the profile
says: its digest covers it and a capture carries it. It refuses paths, and files of a size that none has.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Protocol, runtime_checkable

from gateway import yamlfile
from gateway.driver import Plugin, Profile
from gateway.errors import ConfigError

# For people and for scans. Nothing is measured or commanded by it, and a site must not be commissioned again
# because a source was added.
ABOUT = frozenset({"also", "sources", "proof", "recorded", "enable", "notes", "recognise"})
BESIDE_MAX = 256 * 1024  # bytes; the DBC of a battery has 5 to 100 kB
_NAME = re.compile(r"[A-Za-z0-9_][\w.-]{0,63}", re.ASCII)


@runtime_checkable
class Accompanied(Protocol):
    """A plugin whose profiles name a file that lies beside them. Its model gets {file, text} for the name."""

    beside: Mapping[str, str]  # key of the profile: ending of the file


def digest(said: object) -> bytes:
    """Of what a profile has done: its layout and its comments do not count, nor what it says of itself."""
    if isinstance(said, dict):
        said = {key: value for key, value in said.items() if key not in ABOUT}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).digest()


def load(name: str, folder: Path, plugins: Mapping[str, Plugin]) -> tuple[Plugin, Profile]:
    """The profile `name`: a YAML beside site.yaml wins over an installed one. ConfigError if bad."""
    return read(find(name, folder, plugins), plugins)


def find(name: str, folder: Path, plugins: Mapping[str, Plugin]) -> yamlfile.Document:
    """The profile `name` as it is written, with what lies beside it."""
    sources: dict[str, tuple[Traversable, Traversable]] = {}  # folder and file
    for plugin in plugins.values():
        for entry in plugin.profiles.iterdir():
            if entry.name.endswith(".yaml"):
                sources[entry.name[:-5]] = plugin.profiles, entry
    name = name.removesuffix(".yaml")
    own = folder / f"{name}.yaml"
    if own.is_file():
        sources[name] = folder, own
    if name not in sources:
        from difflib import get_close_matches  # only when there is a mistake

        near = get_close_matches(name, sources, 1, 0.4)
        known = f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(sorted(sources))
        raise ConfigError(
            f"there is no profile {name!r}, neither installed nor as {own.name} beside site.yaml; {known}"
        )
    where, source = sources[name]
    if isinstance(source, Path):
        document = yamlfile.read(source)
    else:  # of a package that is no folder
        document = yamlfile.parse(source.read_text(encoding="utf-8"), str(source))
    _take_beside(document, where, plugins)
    return document


def read(document: yamlfile.Document, plugins: Mapping[str, Plugin]) -> tuple[Plugin, Profile]:
    """The document as its plugin's model."""
    kind = document.data.get("driver") if isinstance(document.data, dict) else None
    if not isinstance(kind, str) or kind not in plugins:
        wrong = f"driver {kind!r} is not installed" if kind else "'driver' is missing: this is no profile"
        where = document.problem(("driver",), wrong, f"installed: {', '.join(plugins)}")
        raise ConfigError("", (where,))
    profile: Profile = yamlfile.validate(document, plugins[kind].profile_model)
    return plugins[kind], profile


def _take_beside(document: yamlfile.Document, folder: Traversable, plugins: Mapping[str, Plugin]) -> None:
    """Put the files that it names into it. What is missing altogether, the model says."""
    said = document.data if isinstance(document.data, dict) else {}
    plugin = plugins.get(said["driver"]) if isinstance(said.get("driver"), str) else None
    beside: Mapping[str, str] = plugin.beside if isinstance(plugin, Accompanied) else {}
    for key, suffix in beside.items():
        if key in said:
            try:
                said[key] = {"file": said[key], "text": _text(said[key], suffix, folder)}
            except ValueError as error:
                raise ConfigError("", (document.problem((key,), str(error)),)) from None


def _text(name: object, suffix: str, folder: Traversable) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or not name.endswith(suffix):
        raise ValueError(f"{name!r} is not the name of a {suffix} file beside the profile")
    file = folder.joinpath(name)
    if not file.is_file():
        raise ValueError(f"there is no file {name} beside the profile")
    try:
        with file.open("rb") as opened:
            raw: bytes = opened.read(BESIDE_MAX + 1)
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from None
    if len(raw) > BESIDE_MAX:
        raise ValueError(f"{name} is larger than {BESIDE_MAX // 1024} KiB: leave out what no point needs")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # tools of the trade write what Windows gives them: ° is one byte
    return text.replace("\r\n", "\n")
