"""A comparison as pages: one HTML page for itself, and Markdown with small pictures beside it."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from tinct.atomic import replacing
from tinct.errors import SaveError, UsageError
from tinct.measure.comparison import COLUMNS, Report, Row, Table
from tinct.measure.curves import draw_curves, draw_latents
from tinct.measure.html import HEADINGS, STYLE
from tinct.measure.reconstruction import Reconstruction
from tinct.measure.thumbnails import sheet

DOTS = 90  # per inch, of drawings
COLORS = 128  # of drawings
BEGIN, END = "<!-- report: made by tinct report -->", "<!-- /report -->"

PAGE_STYLE = """
body { max-width: 80rem; } td.best { font-weight: bold; } tr.told th { padding-left: 1.4rem; }
tr.baseline { opacity: .75; } td.text { text-align: left; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .4rem; }
.tiles div { font-size: .75rem; overflow-wrap: anywhere; }
.tiles img { width: 100%; height: auto; display: block; background: #888; }
img.drawing { max-width: 100%; height: auto; background: #fff; margin-bottom: .6rem; }
"""
TITLES = {"photo": "Photographs", "lineart": "Line art"}
RECONSTRUCTION = (
    ("latent", "latent", 0),
    ("ciede2000", "CIEDE2000", 2),
    ("psnr_mean", "PSNR mean, dB", 2),
    ("psnr_median", "PSNR median, dB", 2),
    ("ssim", "SSIM", 4),
    ("parameters", "parameters", 0),
    ("megabytes", "MB", 1),
    ("ms", "ms", 1),
    ("seen", "pictures seen", 0),
)
BACK = "Giving back color"
GIVEN_BACK = (
    "These networks are given the color picture and give it back through their latent space; they "
    "color nothing. Measured at their own working size."
)

Cells = tuple[list[str], list[list[str]]]


def title_of(table: Table) -> str:
    """Return a table's title."""
    return f"{TITLES[table.task]}: {table.n} pictures of {table.folder}"


def cells(table: Table) -> Cells:
    """Return a table as text: heads, and rows of as many cells."""
    shown = _columns(table)
    heads = ["system", *(column.label for column in shown)]
    return heads, [
        [_label(row), *(_text(row.figures[c.key], c.digits) for c in shown)] for row in table.rows
    ]


def reconstruction_cells(found: Sequence[Reconstruction]) -> Cells:
    """Return the table of those that give back color as text."""
    heads = ["system", *(label for _, label, _ in RECONSTRUCTION)]
    rows = []
    for one in found:
        held = one.to_json()
        rows.append([one.label, *(_text(held[key], digits) for key, _, digits in RECONSTRUCTION)])
    return heads, rows


def texts(report: Report) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return all tables as text: title, heads and rows."""
    found = [(title_of(table), *cells(table)) for table in report.tables]
    if report.reconstructions:
        found.append((BACK, *reconstruction_cells(report.reconstructions)))
    return found


def _columns(table: Table) -> list[Any]:
    """Return the columns in which any row has a figure."""
    return [c for c in COLUMNS if any(row.figures[c.key] is not None for row in table.rows)]


def _label(row: Row) -> str:
    return f"  {row.label}" if row.kind == "told" else row.label


def _text(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}".replace(",", " ")


def best_cells(table: Table) -> set[tuple[int, int]]:
    """Return (row, column) of the best figures, counted in :func:`cells`, system rows only."""
    found = set()
    for number, column in enumerate(_columns(table), start=1):
        values = {
            place: value
            for place, row in enumerate(table.rows)
            if row.kind == "system" and (value := row.figures[column.key]) is not None
        }
        if column.better and values:
            best = (min if column.better == "low" else max)(values.values())
            found |= {(place, number) for place, value in values.items() if value == best}
    return found


def write_json(report: Report, path: Path) -> None:
    """Write a report as JSON, see :meth:`tinct.measure.comparison.Report.to_json`.

    Raises:
        SaveError: the file cannot be written.
    """
    with replacing(path, overwrite=True) as temporary:
        temporary.write_text(
            json.dumps(report.to_json(), indent=1, allow_nan=False) + "\n", "utf-8"
        )


def write_html(report: Report, path: Path) -> None:
    """Write a report as one page that needs no other file.

    Raises:
        SaveError: the file cannot be written.
    """
    with replacing(path, overwrite=True) as temporary:
        temporary.write_text(render_html(report), "utf-8")


def render_html(report: Report) -> str:
    """Return a report as HTML with everything embedded."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Comparison</title><style>{STYLE}{PAGE_STYLE}</style></head><body>",
        f"<h1>Comparison</h1><p>{escape(report.created)}.</p>",
    ]
    for table in report.tables:
        parts += [f"<h2>{escape(title_of(table))}</h2>", _html_table(table)]
        parts += _html_pictures(table)
    if report.reconstructions:
        parts.append(f"<h2>{BACK}</h2><p>{escape(GIVEN_BACK)}</p>")
        heads, rows = reconstruction_cells(report.reconstructions)
        parts.append(_html_rows(heads, rows, ["system"] * len(rows), set()))
    if report.latents:
        parts.append("<h2>Error against latent size</h2>")
        parts.append(_html_drawing(draw_latents(report.latents), "CIEDE2000 against latent size"))
    if report.curves:
        parts.append("<h2>Training</h2>")
        for label, curves in report.curves.items():
            parts.append(_html_drawing(draw_curves(curves, title=label), f"training of {label}"))
    meanings = [f"{column.label}: {column.meaning}" for column in COLUMNS]
    parts += [_html_list("Notes", _notes(report)), _html_list("What the columns mean", meanings)]
    for table in report.tables:
        parts.append(_html_list(f"Protocol: {TITLES[table.task]}", table.protocol))
        machine = [f"{key}: {value}" for key, value in table.machine.items()]
        parts.append(_html_list(f"Machine: {TITLES[table.task]}", machine))
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _notes(report: Report) -> list[str]:
    """Return all notes, each once."""
    told = [note for table in report.tables for note in table.notes]
    return list(dict.fromkeys([*report.notes, *told]))


def _html_table(table: Table) -> str:
    heads, rows = cells(table)
    return _html_rows(heads, rows, [row.kind for row in table.rows], best_cells(table))


def _html_rows(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    kinds: Sequence[str],
    best: set[tuple[int, int]],
) -> str:
    lines = ["<tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>"]
    for place, (kind, row) in enumerate(zip(kinds, rows, strict=True)):
        line = f"<th>{escape(row[0].strip())}</th>"
        for number, text in enumerate(row[1:], start=1):
            mark = ' class="best"' if (place, number) in best else ""
            line += f"<td{mark}>{escape(text)}</td>"
        lines.append(f'<tr class="{kind}">{line}</tr>')
    return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</table></div>"


def _html_pictures(table: Table) -> list[str]:
    parts = []
    for kind, heading in HEADINGS.items():
        for number, shown in enumerate(s for s in table.shown if s.kind == kind):
            if not number:
                parts.append(
                    f"<h3>{heading} <small>by mean CIEDE2000 over the systems</small></h3>"
                )
            tiles = "".join(
                f"<div>{_embedded(data, 'jpeg', f'{shown.name}, {label}')}{escape(label)}"
                f"{_behind(shown.of.get(label))}</div>"
                for label, data in shown.tiles.items()
            )
            caption = f"{escape(shown.name)}, CIEDE2000 {shown.ciede2000:.2f}"
            parts.append(f'<figure><div class="tiles">{tiles}</div>')
            parts.append(f"<figcaption>{caption}</figcaption></figure>")
    return parts


def _behind(value: float | None) -> str:
    return "" if value is None else f" <span class=dim>{value:.1f}</span>"


def _html_drawing(figure: Any, alt: str) -> str:
    return f"<p>{_embedded(draw_png(figure), 'png', alt, 'drawing')}</p>"


def _embedded(data: bytes, kind: str, alt: str, name: str = "") -> str:
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    mark = f' class="{name}"' if name else ""
    return f'<img{mark} loading="lazy" alt="{escape(alt)}" src="{source}">'


def _html_list(heading: str, lines: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h2>{escape(heading)}</h2><ul>{items}</ul>" if lines else ""


def draw_png(figure: Any) -> bytes:
    """Return a matplotlib figure as a small PNG of few colors."""
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=DOTS)
    few = Image.open(held).convert("RGB").quantize(COLORS)
    out = io.BytesIO()
    few.save(out, "PNG", optimize=True)
    return out.getvalue()


def write_markdown(report: Report, path: Path, pictures: Path) -> None:
    """Write a report as Markdown with small pictures in a folder.

    A page that is there keeps what stands before and after the lines ``BEGIN`` and ``END``.

    Args:
        report: what to write.
        path: the page.
        pictures: the folder for its pictures, made if it is missing.

    Raises:
        UsageError: the page is there and does not hold the two lines.
        SaveError: a file cannot be written.
    """
    before, after = _around(path)
    try:
        pictures.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SaveError(f"The folder {pictures} cannot be made ({error.strerror}).") from error
    base = os.path.relpath(pictures.absolute(), path.absolute().parent).replace(os.sep, "/")

    def keep(name: str, data: bytes) -> str:
        with replacing(pictures / name, overwrite=True) as temporary:
            temporary.write_bytes(data)
        return f"{base}/{name}".replace(" ", "%20")

    body = render_markdown(report, keep)
    with replacing(path, overwrite=True) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n\n{body}\n{END}{after}", "utf-8")


def check_markdown(path: Path) -> None:
    """Find out before the long work whether a page can be replaced.

    Raises:
        UsageError: it holds something else.
    """
    _around(path)


def _around(path: Path) -> tuple[str, str]:
    """Return what stands before and after the report in a page."""
    if not path.is_file():
        return "# Comparison\n\n", "\n"
    text = path.read_text("utf-8")
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        raise UsageError(
            f"{path} holds no report yet; put the lines {BEGIN} and {END} where it shall stand."
        )
    return before, after


def render_markdown(report: Report, keep: Callable[[str, bytes], str]) -> str:
    """Return a report as Markdown.

    Args:
        report: what to write.
        keep: stores a picture under a name and returns its link.
    """
    parts: list[str] = []
    for table in report.tables:
        heads, rows = cells(table)
        best = best_cells(table)
        parts += [f"## {_plain(title_of(table))}", _markdown_rows(heads, rows, best)]
        for kind, heading in HEADINGS.items():
            for number, shown in enumerate(s for s in table.shown if s.kind == kind):
                if not number:
                    parts.append(f"### {heading} of {TITLES[table.task].lower()}")
                data = sheet(_named(shown.tiles, shown.of))
                link = keep(f"{table.task}-{kind}-{number + 1}.jpg", data)
                text = f"{shown.name}, mean CIEDE2000 {shown.ciede2000:.2f}"
                parts += [f"![{_plain(text)}]({link})", f"*{_plain(text)}*"]
    if report.reconstructions:
        heads, rows = reconstruction_cells(report.reconstructions)
        parts += [f"## {BACK}", GIVEN_BACK, _markdown_rows(heads, rows, set())]
    if report.latents:
        link = keep("latents.png", draw_png(draw_latents(report.latents)))
        parts += ["## Error against latent size", f"![CIEDE2000 against latent size]({link})"]
    if report.curves:
        parts.append("## Training")
        for number, (label, curves) in enumerate(report.curves.items(), start=1):
            drawing = draw_png(draw_curves(curves, title=label))
            link = keep(f"training-{number:02}.png", drawing)
            parts.append(f"![training of {_plain(label)}]({link})")
    parts += ["## Protocol", *(f"- {_plain(line)}" for line in _protocol(report))]
    return "\n\n".join(parts).replace("\n\n- ", "\n- ") + "\n"


def _protocol(report: Report) -> list[str]:
    """Return what was done and what to keep in mind, each sentence once."""
    said = [line for table in report.tables for line in table.protocol]
    meanings = [f"{column.label}: {column.meaning}" for column in COLUMNS]
    return list(dict.fromkeys([*_notes(report), *said, *meanings]))


def _named(tiles: Mapping[str, bytes], of: Mapping[str, float]) -> dict[str, bytes]:
    """Return tiles by a label with the figure behind it."""
    return {f"{k} {of[k]:.1f}" if k in of else k: data for k, data in tiles.items()}


def _markdown_rows(
    heads: Sequence[str], rows: Sequence[Sequence[str]], best: set[tuple[int, int]]
) -> str:
    lines = [[_plain(head) for head in heads], ["---", *("---:" for _ in heads[1:])]]
    for place, row in enumerate(rows):
        texts = [_plain(text.strip()) for text in row]
        lines.append([f"**{t}**" if (place, n) in best else t for n, t in enumerate(texts)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """Escape what Markdown would take for marks."""
    for mark in "\\|*_`<>[]":
        text = text.replace(mark, f"\\{mark}")
    return text
