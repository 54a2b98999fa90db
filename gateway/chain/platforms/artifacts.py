"""The shipped artifacts of the contracts (`abi/`), and calldata by them.

Pure. A method is called by its name, which is unique in its contract; ConfigError for one that the shipped
ABI does not have, for then the installation is not whole.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, cast

from eth_abi.abi import encode

from gateway.errors import ConfigError


@cache
def artifact(name: str) -> Mapping[str, Any]:
    """A shipped artifact: contract, abi, bytecode, methods (signature -> selector)."""
    text = (files("gateway.chain.platforms") / "abi" / f"{name}.json").read_text("utf-8")
    return cast(Mapping[str, Any], json.loads(text))


@cache
def _method(contract: str, name: str) -> tuple[bytes, tuple[str, ...]]:
    """Selector and argument types."""
    for signature, selector in artifact(contract)["methods"].items():
        found, _, types = signature.partition("(")
        if found == name:
            return bytes.fromhex(selector), _split(types[:-1])
    raise ConfigError(f"the shipped ABI of {contract} has no {name}: reinstall gridseal")


def _split(types: str) -> tuple[str, ...]:
    """The types between the commas that are in no tuple."""
    found, depth = [""], 0
    for letter in types:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and not depth:
            found.append("")
        else:
            found[-1] += letter
    return tuple(found) if types else ()


def calldata(contract: str, method: str, *arguments: object) -> bytes:
    """A call of a shipped contract; a tuple for each struct."""
    selector, types = _method(contract, method)
    return selector + encode(types, arguments)


@cache
def event(contract: str, name: str) -> str:
    """The signature of an event of a shipped contract."""
    for entry in artifact(contract)["abi"]:
        if entry["type"] == "event" and entry["name"] == name:
            return f"{name}({','.join(_type(i) for i in entry['inputs'])})"
    raise ConfigError(f"the shipped ABI of {contract} has no event {name}: reinstall gridseal")


def _type(argument: Mapping[str, Any]) -> str:
    if argument["type"].startswith("tuple"):
        return f"({','.join(_type(c) for c in argument['components'])}){argument['type'][5:]}"
    return str(argument["type"])
