"""Modbus TCP and RTU: links, strict exchange, register-map profiles. `PLUGIN` is the entry point."""

from drivers.modbus.plugin import PLUGIN

__all__ = ["PLUGIN"]
