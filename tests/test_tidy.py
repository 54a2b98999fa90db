"""Style as a test: what reviews would otherwise argue about, read from the sources."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PRODUCT = sorted(p for package in ("gateway", "drivers") for p in (ROOT / package).rglob("*.py"))
ALL = [
    *PRODUCT,
    *sorted((ROOT / "tests").rglob("*.py")),
    *sorted((ROOT / "hardware-in-loop").glob("[!c]*/*.py")),
]
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
TEST_LINES_MAX = 500  # tables of cases are long without being hard
# Modules whose behaviour is seen only together with the one they serve: the file that tests both.
TESTED_WITH = {
    "drivers/flags.py": "test_can_codec",
    "drivers/ttypath.py": "test_whereabouts",
    "drivers/opcua/playback.py": "test_opcua_tape",
    "drivers/can/keys.py": "test_can_profile",
    "drivers/can/names.py": "test_can_profile",
    "drivers/can/number.py": "test_can_profile",
    "drivers/can/compiler.py": "test_can_profile",
    "gateway/beside_model.py": "test_reactive",
    "gateway/sense.py": "test_control",
    "gateway/recognising.py": "test_recognise",
    "gateway/standing.py": "test_modbus_guard",
    "gateway/cli/scanning.py": "test_cli_scan",
    "gateway/sitefile.py": "test_config",
    "gateway/cli/amount.py": "test_cli_prices",
    "gateway/sitetypes.py": "test_sitefile",
    "gateway/chainfile.py": "test_sitefile",
    "gateway/evidence/shown.py": "test_mqtt_records",
    "gateway/chain/platforms/calls.py": "test_platform_storage",
}
LEFTOVERS = re.compile(r"#\s*(TODO|FIXME|XXX|HACK)\b")
MACHINE = re.compile(r"/(?:home|root|work)/|pythonhosted\.|npmjs\.(?:org|com)|deb\.debian\.|pypi\.org/simple")


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", ALL, ids=identify)
def test_files_are_short_and_say_what_they_are(path):
    text = path.read_text()
    assert text.count("\n") <= (TEST_LINES_MAX if "tests" in path.parts else FILE_LINES_MAX)
    assert text.count("\n") < 10 or ast.get_docstring(ast.parse(text)), "opens without a paragraph"
    assert not LEFTOVERS.search(text)


@pytest.mark.parametrize("path", PRODUCT, ids=identify)
def test_functions_are_short_and_catch_only_what_they_name(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name} is {length} lines"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: bare except"
            assert "Exception" not in ast.unparse(node.type).split("."), f"line {node.lineno}: broad except"


@pytest.mark.parametrize("path", PRODUCT, ids=identify)
def test_every_module_has_a_test_file(path):
    if path.name in ("__init__.py", "__main__.py"):
        return
    stem = path.stem
    files = [f.stem for f in (ROOT / "tests").rglob("test_*.py")]
    own = [name for name in files if stem in name]
    elsewhere = TESTED_WITH.get(identify(path))
    assert own or elsewhere in files, f"no tests/**/test_*{stem}*.py"


def test_nothing_of_this_machine_is_in_the_tree():
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    found = []
    for name in filter(None, files):
        path = ROOT / name
        if path.suffix in (".png", ".csv") or path == Path(__file__) or not path.is_file():
            continue
        found += [f"{name}: {m[0]}" for m in MACHINE.finditer(path.read_text(errors="replace"))]
    assert found == []
