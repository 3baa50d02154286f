"""The results of a run of the benchmarks as bars: an SVG of two columns, each part and unit with a scale of its own."""

from __future__ import annotations

from html import escape

from results_reading import Figure, Results, number

_WIDTH = 1240
_MARGIN = 20
_GAP = 30
_LABEL = 330
_VALUE = 90
_ROW = 19
_BAR = 12
_HEAD = 34
_TOP = 74
_COLUMN = (_WIDTH - 2 * _MARGIN - _GAP) // 2

#: References, and what is ours.
_COLOURS = {"reference": "#9aa5b1", "ours": "#2f6fb3"}
_NAMES = {"reference": "reference of the same run", "ours": "Oxbow"}


def plot(results: Results) -> str:
    """The whole drawing."""
    panels = _panels(results)
    heights = [_HEAD + _ROW * len(figures) for _, figures in panels]
    # The first column takes panels until it is as high as what is left for the second.
    split = min(range(len(panels) + 1), key=lambda index: max(sum(heights[:index]), sum(heights[index:])))
    height = _TOP + max(sum(heights[:split]), sum(heights[split:])) + _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#1f2933">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_MARGIN}" y="28" font-size="16" font-weight="bold">Oxbow beside its references</text>',
        f'<text x="{_MARGIN}" y="50" fill="#52606d">{escape(results.machine)}</text>',
        *_legend(),
    ]
    for start, chosen in ((_MARGIN, panels[:split]), (_MARGIN + _COLUMN + _GAP, panels[split:])):
        top = _TOP
        for title, figures in chosen:
            lines += _panel(results, title, figures, start, top)
            top += _HEAD + _ROW * len(figures)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _panels(results: Results) -> list[tuple[str, list[Figure]]]:
    """The figures that share a scale. What has no unit is no bar, and a whole process none beside a connection."""
    panels: dict[tuple[str, str], list[Figure]] = {}
    for figure in results.figures:
        if figure.unit and figure.key != "memory.process":
            panels.setdefault((figure.group, figure.unit), []).append(figure)
    return [(f"{group}, {unit}", figures) for (group, unit), figures in panels.items()]


def _legend() -> list[str]:
    lines = []
    place = _MARGIN + _COLUMN + _GAP
    for kind, colour in _COLOURS.items():
        lines.append(f'<rect x="{place}" y="40" width="{_BAR}" height="{_BAR}" fill="{colour}"/>')
        lines.append(f'<text x="{place + _BAR + 6}" y="50">{_NAMES[kind]}</text>')
        place += 40 + 7 * len(_NAMES[kind])
    return lines


def _panel(results: Results, title: str, figures: list[Figure], start: int, top: int) -> list[str]:
    better = "less is better" if figures[0].is_cost else "more is better"
    lines = [
        f'<text x="{start}" y="{top + 20}" font-weight="bold">{escape(title)}'
        f'<tspan dx="10" font-weight="normal" fill="#7b8794">{better}</tspan></text>'
    ]
    most = max(figure.high for figure in figures) or 1
    room = _COLUMN - _LABEL - _VALUE
    for index, figure in enumerate(figures):
        y = top + _HEAD - 6 + index * _ROW
        left = start + _LABEL
        kind = "reference" if results.is_reference(figure) else "ours"
        width, low, high = (room * max(value, 0) / most for value in (figure.median, figure.low, figure.high))
        lines += [
            f'<text x="{left - 8}" y="{y + 10}" text-anchor="end">{escape(_short(figure.title))}'
            f"<title>{escape(figure.title)}</title></text>",
            f'<rect x="{left}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{_COLOURS[kind]}"/>',
            f'<line x1="{left + low:.1f}" x2="{left + high:.1f}" y1="{y + _BAR / 2}" y2="{y + _BAR / 2}" '
            'stroke="#1f2933" stroke-width="1.5"/>',
            f'<text x="{left + max(width, high) + 6:.1f}" y="{y + 10}">{number(figure.median)}</text>',
        ]
    return lines


def _short(title: str) -> str:
    """As much of a title as there is room for."""
    return title if len(title) <= 54 else title[:53] + "…"
