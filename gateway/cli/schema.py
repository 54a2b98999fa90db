"""`gridseal schema`: the JSON schemas that editors use to complete site.yaml, fleet.yaml and profiles."""

import argparse
import json
from pathlib import Path
from typing import Any

from gateway.driver import find_plugins
from gateway.errors import ConfigError
from gateway.fleet.file import FleetFile
from gateway.sitefile import SiteFile

HELP = """\
write the JSON schemas of site.yaml, fleet.yaml and device profiles into a folder

  gridseal schema config"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="where the *.schema.json go")


def run(args: argparse.Namespace) -> int:
    for name, schema in schemas().items():
        path: Path = args.folder / name
        try:
            path.write_text(render(schema), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
        print(path)
    return 0


def schemas() -> dict[str, dict[str, Any]]:
    """File name to schema, for all installed drivers."""
    found = {
        "site.schema.json": SiteFile.model_json_schema(),
        "fleet.schema.json": FleetFile.model_json_schema(),
    }
    for kind, plugin in sorted(find_plugins().items()):
        found[f"profile.{kind}.schema.json"] = plugin.profile_model.model_json_schema()
    return found


def render(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
