"""Write an evaluation as one HTML page: no script, no other file, readable on a phone."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from tinct.measure.results import FIGURES, Figure, Results, Sample

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #8884; }
th:first-child { text-align: left; font-weight: normal; } td.ours { font-weight: bold; }
th { white-space: nowrap; } small, .dim { opacity: .75; }
figure { margin: 0 0 1.2rem; } figcaption { font-size: .85rem; overflow-wrap: anywhere; }
.three { display: grid; grid-template-columns: repeat(3, 1fr); gap: .25rem; }
.three img { width: 100%; height: auto; display: block; background: #888; }
.three span { font-size: .75rem; text-align: center; }
li { overflow-wrap: anywhere; }
"""

HEADINGS = {"best": "Best pictures", "median": "Median pictures", "worst": "Worst pictures"}


def render(results: Results) -> str:
    """Return the whole page.

    Args:
        results: what :func:`tinct.measure.evaluate.evaluate` found, its samples included.

    Returns:
        HTML text with the pictures embedded.
    """
    title = f"{results.system} on {results.folder}"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f"<p>n = {results.n}, failures = {len(results.failures)}. {escape(results.created)}, "
        f"tinct {escape(results.tinct)}.</p>",
        _table(results),
        *_samples(results),
        _listing("Protocol", results.protocol),
        _listing("Notes", results.notes),
        _listing("Failures", [f"{f.name}: {f.error}" for f in results.failures]),
        _listing("What the figures mean", [f"{f.label}: {f.meaning}" for f in _shown(results)]),
        _listing("Model", [f"{key}: {value}" for key, value in (results.model or {}).items()]),
        _listing("Settings", [f"{key}: {value}" for key, value in results.settings.items()]),
        _listing("Machine", [f"{key}: {value}" for key, value in results.machine.items()]),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _shown(results: Results) -> list[Figure]:
    return [f for f in FIGURES if any(row[f.key] is not None for row in results.rows.values())]


def _table(results: Results) -> str:
    rows = list(results.rows)
    head = "".join(f"<th>{escape(results.row_label(row))}</th>" for row in rows)
    lines = [f"<tr><th></th>{head}</tr>"]
    for figure in _shown(results):
        cells = []
        for row in rows:
            value = results.rows[row][figure.key]
            text = "" if value is None else f"{value:.{figure.digits}f}"
            cells.append(f"<td{' class=ours' if row == 'ours' else ''}>{text}</td>")
        label = f'<th title="{escape(figure.meaning)}">{escape(figure.label)}</th>'
        lines.append(f"<tr>{label}{''.join(cells)}</tr>")
    return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</table></div>"


def _samples(results: Results) -> list[str]:
    parts = []
    for kind, heading in HEADINGS.items():
        chosen = [sample for sample in results.samples if sample.kind == kind]
        if chosen:
            order = f"gray | {escape(results.system)} | truth"
            parts.append(f"<h2>{heading} <small>{order}</small></h2>")
            parts.extend(_sample(sample, results.system) for sample in chosen)
    return parts


def _sample(sample: Sample, system: str) -> str:
    pictures = []
    for label, data in (("gray", sample.gray), (system, sample.ours), ("truth", sample.truth)):
        source = "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
        alt = escape(f"{sample.name}, {label}")
        pictures.append(f'<img loading="lazy" alt="{alt}" src="{source}">')
    caption = f"{escape(sample.name)} <span class=dim>CIEDE2000 {sample.ciede2000:.2f}</span>"
    return (
        f'<figure><div class="three">{"".join(pictures)}</div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _listing(heading: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h2>{escape(heading)}</h2><ul>{items}</ul>"
