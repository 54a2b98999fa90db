"""Two panels of lines over hours as an SVG: powers above, what they answer to below. No library, no date."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, PANEL, MARGIN, GAP = 960, 220, 64, 44
POINTS_MAX = 1600  # about two for each pixel
COLOURS = ("#9aa5b1", "#0b6e4f", "#8a3ffc")


@dataclass(frozen=True)
class Line:
    """One value a second."""

    name: str
    values: Sequence[float]

    def thinned(self) -> list[float]:
        step = max(1, len(self.values) // POINTS_MAX)
        return [
            sum(self.values[i : i + step]) / len(self.values[i : i + step])
            for i in range(0, len(self.values), step)
        ]


def plot(powers: Sequence[Line], cause: Line) -> str:
    """The drawing; `powers` in W share an axis."""
    height = 2 * PANEL + GAP + 2 * MARGIN // 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        *_panel(powers, 24, "W", COLOURS),
        *_panel([cause], 24 + PANEL + GAP, "", COLOURS[2:]),
        *_hours(len(cause.values) / 3600, 24 + 2 * PANEL + GAP),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(lines: Sequence[Line], top: int, unit: str, colours: Sequence[str]) -> list[str]:
    low, high = min(min(line.values) for line in lines), max(max(line.values) for line in lines)
    span = (high - low) or 1.0
    parts = []
    for value in (low, low + span / 2, high):
        y = top + PANEL - (value - low) / span * PANEL
        text = f"{value:.2f}" if span < 10 else f"{value:.0f}"
        parts.append(f'<line x1="{MARGIN}" y1="{y:.1f}" x2="{WIDTH - 16}" y2="{y:.1f}" stroke="#e4e7eb"/>')
        parts.append(f'<text x="{MARGIN - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    for i, (line, colour) in enumerate(zip(lines, colours, strict=False)):
        values = line.thinned()
        wide = (WIDTH - 16 - MARGIN) / max(1, len(values) - 1)
        points = " ".join(
            f"{MARGIN + n * wide:.1f},{top + PANEL - (v - low) / span * PANEL:.1f}"
            for n, v in enumerate(values)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.2"/>')
        name = f"{line.name} ({unit})" if unit else line.name
        parts.append(f'<text x="{MARGIN + 8 + 150 * i}" y="{top - 8}" fill="{colour}">{name}</text>')
    return parts


def _hours(hours: float, y: int) -> list[str]:
    step = 1 if hours <= 12 else 2
    wide = WIDTH - 16 - MARGIN
    return [
        f'<text x="{MARGIN + wide * hour / hours:.1f}" y="{y + 20}" text-anchor="middle">{hour} h</text>'
        for hour in range(0, int(hours) + 1, step)
    ]
