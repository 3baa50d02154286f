"""The results of a run of the benchmarks as a table in Markdown."""

from __future__ import annotations

from results_reading import Figure, Results, number


def table(results: Results) -> str:
    """The whole document."""
    runs = f"{results.runs} runs" if results.runs > 1 else "one run"
    parts = [
        "# Results of the benchmarks\n",
        f"Written by `make bench WRITE=1`; [what is measured, and how](README.md). {results.machine}; {runs}, "
        f"{results.seconds:g} s for each figure, medians with the spread behind. All processes were on this machine.\n",
        "![The same as bars](results.svg)\n",
    ]
    for group, figures in results.groups.items():
        parts.append(f"## {group}\n\n| what | median | spread | beside |\n|---|---:|---|---|")
        parts.append("\n".join(_row(results, figure) for figure in figures) + "\n")
    if results.notes:
        parts.append("\n".join(f"- {note}" for note in results.notes) + "\n")
    return "\n".join(parts)


def _row(results: Results, figure: Figure) -> str:
    spread = "" if figure.low == figure.high else f"{number(figure.low)} to {number(figure.high)}"
    median = f"{number(figure.median)} {figure.unit}".strip()
    return f"| {figure.title} | {median} | {spread} | {_relation(results, figure)} |"


def _relation(results: Results, figure: Figure) -> str:
    reference = results.reference(figure)
    if reference is None:
        return ""
    share = figure.median / reference.median
    shown = f"{share:.2f} ×" if figure.is_cost else f"{share:.0%} of"
    return f"{shown} {reference.title}"
