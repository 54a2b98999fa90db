"""Prometheus' text format. Pure: families of samples to lines, each family once and whole, empty ones not."""

from collections.abc import Iterable, Mapping

KIND = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "gridseal_"

Labels = Mapping[str, str]
Sample = tuple[Labels, float]
Family = tuple[str, str, str, Iterable[Sample]]  # name without prefix, type, help, samples


def text(families: Iterable[Family]) -> str:
    lines: list[str] = []
    for name, kind, said, samples in families:
        rows = [f"{PREFIX}{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
        if rows:
            lines += [f"# HELP {PREFIX}{name} {said}", f"# TYPE {PREFIX}{name} {kind}", *rows]
    return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(said)}"' for name, said in labels.items()) + "}"


def _escaped(said: str) -> str:
    return said.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return repr(round(float(value), 6)).removesuffix(".0")
