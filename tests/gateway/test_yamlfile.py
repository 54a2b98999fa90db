"""YAML with positions: what is read, what is refused, and where the message points."""

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from gateway import yamlfile
from gateway.errors import ConfigError


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    power: int
    grid_import: int = Field(default=0, alias="grid import")


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = ""
    parts: dict[str, Inner] = {}
    numbers: list[int] = []
    either: int | Inner | None = None


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        yamlfile.validate(yamlfile.parse(text, "f.yaml"), Outer)
    return [str(p) for p in caught.value.problems]


def test_scalars_are_what_they_look_like():
    text = "[no, on, 1:30, 010, 0x8000, 1.5, true, null, '7', -3, 1_000]"
    assert yamlfile.parse(text, "f").data == [
        "no", "on", "1:30", 10, 0x8000, 1.5, True, None, "7", -3, "1_000",
    ]  # fmt: skip


def test_an_empty_file_is_an_empty_mapping():
    assert yamlfile.validate(yamlfile.parse("# nothing\n", "f"), Outer) == Outer()


def test_every_problem_is_reported_at_its_place():
    assert problems("nam: x\nparts:\n  a: {power: ten}\n  b: {grid imprt: 3}\nnumbers: [1, x]\n") == [
        "f.yaml:1:1: unknown key 'nam' (did you mean 'name'?)",
        "f.yaml:3:7: power: must be a whole number, not 'ten'",
        "f.yaml:4:3: 'power' is missing",
        "f.yaml:4:7: unknown key 'grid imprt' (did you mean 'grid import'?)",
        "f.yaml:5:14: must be a whole number, not 'x'",
    ]


def test_an_unlike_key_lists_what_is_valid():
    assert problems("qqq: 1") == ["f.yaml:1:1: unknown key 'qqq' (valid here: name, parts, numbers, either)"]


def test_a_key_written_twice_is_refused():
    assert "f.yaml:2:1: the key 'name' is written twice" in problems("name: a\nname: b\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1, 2", "f.yaml:1:9: not YAML"),
        ("a: \x07", "not YAML"),
        ("a: &x [1]\nb: [*x" + ", *x" * 100 + "]\nc: [*y]", "not YAML"),
        ("[" * 100 + "]" * 100, "too deeply nested"),
    ],
)
def test_what_is_not_yaml_says_so(text, said):
    with pytest.raises(ConfigError, match=said):
        yamlfile.parse(text, "f.yaml")


def test_anchors_cannot_multiply_without_bound():
    text = "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    for before, name in zip("abcde", "bcdef", strict=True):
        text += f"{name}: &{name} [" + ",".join([f"*{before}"] * 10) + "]\n"
    with pytest.raises(ConfigError, match="too many"):
        yamlfile.parse(text, "f.yaml")


def test_files_that_cannot_be_configuration(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        yamlfile.read(tmp_path / "none.yaml")
    big = tmp_path / "big.yaml"
    big.write_bytes(b"#" * (yamlfile.SIZE_MAX + 1))
    with pytest.raises(ConfigError, match="larger than 256 KiB"):
        yamlfile.read(big)
    big.write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        yamlfile.read(big)


@given(st.text(max_size=200))
def test_any_text_is_a_document_or_a_config_error(text):
    try:
        assert yamlfile.parse(text, "f").name == "f"
    except ConfigError as error:
        assert str(error).startswith("f")


class Odd(BaseModel):
    pair: tuple[int, ...] = ()
    named: dict[Annotated[str, Field(pattern="^[a-z]+$")], int] = {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pair: 0", "f.yaml:1:1: pair: must be a list, like [a, b], not 0"),
        ("named: {A1: 3}", "f.yaml:1:9: 'A1' has characters that may not be here (allowed: [a-z]+)"),
    ],
)
def test_pythons_words_are_nobodys(text, said):
    with pytest.raises(ConfigError) as caught:
        yamlfile.validate(yamlfile.parse(text, "f.yaml"), Odd)
    assert str(caught.value) == said
