from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from tests.measure.conftest import LABELS, Page

from tinct.command import cli
from tinct.errors import UsageError
from tinct.measure import compare
from tinct.measure import comparison_pages as report_page
from tinct.measure.comparison import COLUMNS

NUMBER = {"type": ["number", "null"]}


SCHEMA = {
    "type": "object",
    "properties": {
        "schema": {"const": "tinct.report/1"},
        "created": {"type": "string"},
        "tinct": {"type": "string"},
        "notes": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "tables": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "task": {"enum": ["photo", "lineart"]},
                    "folder": {"type": "string"},
                    "n": {"type": "integer"},
                    "rows": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "label": {"type": "string"},
                                "kind": {"enum": ["baseline", "system", "told"]},
                                "system": {"type": "string"},
                                **{column.key: NUMBER for column in COLUMNS},
                            },
                            "required": ["label", "kind", *(c.key for c in COLUMNS)],
                            "additionalProperties": False,
                        },
                    },
                    "shown": {"type": "array", "items": {"required": ["kind", "name", "of"]}},
                    "protocol": {"type": "array", "minItems": 5},
                    "notes": {"type": "array"},
                    "machine": {"type": "object", "required": ["cores"]},
                },
                "additionalProperties": False,
            },
        },
        "reconstructions": {"type": "array"},
        "latents": {"type": "object"},
        "curves": {"type": "object"},
    },
    "additionalProperties": False,
}
SCHEMA["required"] = list(SCHEMA["properties"])  # type: ignore[call-overload]


def test_the_command_writes_every_page(
    bundles: list[str],
    nano_run: Path,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["report", *bundles, str(nano_run), "--data", str(folder), "--limit", "3"]
    words += ["--html", str(tmp_path / "r.html"), "--json", str(tmp_path / "r.json")]
    words += ["--markdown", str(tmp_path / "r.md"), "--pictures", str(tmp_path / "small")]
    assert cli.main(words) == 0
    shown = capsys.readouterr().out
    assert "Photographs: 3 pictures of scenes" in shown

    held = json.loads((tmp_path / "r.json").read_text("utf-8"))
    jsonschema.validate(held, SCHEMA)
    (table,) = held["tables"]
    labels = [row["label"] for row in table["rows"]]
    assert labels == [*LABELS, "nano", "nano + 10 hints"]
    assert table["rows"][-2]["seen"] == 20 * 4
    assert list(held["curves"]) == ["nano"]
    assert len(table["shown"]) == 3

    page = Page((tmp_path / "r.html").read_text("utf-8"))
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(source.startswith("data:image/") for source in page.sources)
    # Three pictures: truth, gray and five ways; one drawing of a run.
    assert len(page.sources) == 3 * 7 + 1
    for word in (*labels, "CIEDE2000", "Worst pictures", "pictures of scenes", "shared machines"):
        assert word in page.text

    text = (tmp_path / "r.md").read_text("utf-8")
    links = re.findall(r"\]\((.*?)\)", text)
    assert sorted(links) == sorted(f"small/{path.name}" for path in (tmp_path / "small").iterdir())
    assert len(links) == 3 + 1
    best = min(row["ciede2000"] for row in table["rows"] if row["kind"] == "system")
    assert f"**{best:.2f}**" in text
    lines = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert lines[2:] == labels


def test_a_page_keeps_the_words_around_the_report(compared: compare.Report, tmp_path: Path) -> None:
    page = tmp_path / "docs" / "c.md"
    page.parent.mkdir()
    page.write_text(
        f"# Ours\n\nBefore.\n\n{report_page.BEGIN}\nOLD TEXT\n{report_page.END}\n\nAfter.\n"
    )
    report_page.write_markdown(compared, page, tmp_path / "docs" / "p")
    once = page.read_text("utf-8")
    assert once.startswith("# Ours\n\nBefore.\n")
    assert once.endswith("\n\nAfter.\n")
    assert "OLD TEXT" not in once
    assert "(p/photo-worst-3.jpg)" in once
    report_page.write_markdown(compared, page, tmp_path / "docs" / "p")
    assert page.read_text("utf-8") == once
    page.write_text("# Something else\n")
    with pytest.raises(UsageError, match="holds no report yet"):
        report_page.check_markdown(page)
    assert page.read_text("utf-8") == "# Something else\n"
