"""Write docs/api.md from the docstrings: python docs/make_api.py, or --check to see if it is true.

griffe reads the sources; nothing is imported but the list of public names.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import griffe

import tinct

PAGE = Path(__file__).with_name("api.md")
SOURCES = Path(__file__).parents[1] / "src"
GROUPS = {
    "Coloring": (
        "colorize",
        "Colorizer",
        "Router",
        "Settings",
        "Proposal",
        "Colored",
        "ColoredJpeg",
    ),
    "Hints": ("Point", "Stroke", "KeepGray", "Patch", "Layer", "BlurMap", "read_hints"),
    "Hints as text": ("parse_hint",),
    "Palettes": ("read_palette", "Palette"),
    "Sidecars": ("ColorRecipe", "read_recipe", "save_recipe"),
    "Models": ("find_bundle", "list_bundles", "Bundle", "Manifest"),
}
HEAD = """# Python API

Everything here is imported from `tinct`. The [architecture](architecture.md#errors) tells of
errors; which may come is said at each name. This page is made from the docstrings by
`python docs/make_api.py`; `./check` sees to it that it is true.
"""


def signature(item: griffe.Function) -> str:
    """Return what a function is called with."""
    parts, star = [], False
    for parameter in item.parameters:
        if parameter.name == "self":
            continue
        kind = parameter.kind
        if kind is griffe.ParameterKind.keyword_only and not star:
            parts.append("*")
            star = True
        mark = "**" if kind is griffe.ParameterKind.var_keyword else ""
        text = f"{mark}{parameter.name}"
        if parameter.annotation is not None:
            text += f": {parameter.annotation}"
        if parameter.default is not None and not mark:
            text += f" = {parameter.default}"
        parts.append(text)
    back = f" -> {item.returns}" if item.returns is not None else ""
    return f"({', '.join(parts)}){back}"


def prose(text: str) -> str:
    """Turn the roles of docstrings into Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", lambda found: f"`{found[1]}`", text)
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def described(docstring: griffe.Docstring | None) -> list[str]:
    """Return a docstring's sections as Markdown."""
    if docstring is None:
        return []
    lines: list[str] = []
    for section in docstring.parse(
        "google", warnings=False, returns_multiple_items=False, returns_named_value=False
    ):
        if section.kind is griffe.DocstringSectionKind.text:
            lines += [prose(section.value), ""]
            continue
        name = section.kind.value.replace("other parameters", "parameters").capitalize()
        lines += [f"*{name}*", ""]
        shows_type = section.kind in (
            griffe.DocstringSectionKind.raises,
            griffe.DocstringSectionKind.warns,
        )
        for entry in section.value:
            label = getattr(entry, "name", "") or (str(entry.annotation) if shows_type else "")
            told = prose(" ".join(entry.description.split()))
            lines.append(f"- `{label}`: {told}" if label else f"- {told}")
        lines.append("")
    return lines


def of(item: griffe.Object, name: str, *, level: str) -> list[str]:
    """Return one public thing as Markdown."""
    if isinstance(item, griffe.Function):
        return [f"{level} `{name}{signature(item)}`", "", *described(item.docstring)]
    assert isinstance(item, griffe.Class)
    made = item.all_members.get("__init__")
    called = signature(made) if isinstance(made, griffe.Function) else ""
    lines = [f"{level} `{name}{called}`", "", *described(item.docstring)]
    for key, member in item.all_members.items():
        if key.startswith("_") and key != "__call__":
            continue
        held = member.final_target if isinstance(member, griffe.Alias) else member
        if isinstance(held, griffe.Function) and held.docstring is not None:
            shown = f"{name[0].lower()}{name[1:]}" if key == "__call__" else f".{key}"
            lines += [f"{level}# `{shown}{signature(held)}`", "", *described(held.docstring)]
        elif "property" in held.labels and held.docstring is not None:
            lines += [f"{level}# `.{key}`", "", *described(held.docstring)]
    return lines


def page() -> str:
    """Return the page."""
    package = griffe.load("tinct", search_paths=[str(SOURCES)])
    lines = [HEAD]
    for title, names in GROUPS.items():
        lines += [f"## {title}", ""]
        for name in names:
            found = package[f"{tinct._MODULES[name]}.{name}"]
            found = found.final_target if isinstance(found, griffe.Alias) else found
            lines += of(found, name, level="###")
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write the page, or compare it."""
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, "utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text("utf-8") == text:
        return 0
    sys.stderr.write("docs/api.md is not what the docstrings say: python docs/make_api.py\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
