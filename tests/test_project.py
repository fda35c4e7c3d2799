"""What the project says of itself holds: README, CI, versions, tree, licenses, packaging."""

from __future__ import annotations

import hashlib
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

import tinct
from tinct.command import options
from tinct.settings import Wanted

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def command_blocks() -> list[str]:
    """Return the README's code blocks that have no language."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for language, text in blocks if not language]


def test_ci_runs_the_line_of_the_readme() -> None:
    color, test = (block.strip() for block in command_blocks()[:2])
    assert "\n" not in color + test
    assert test in (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert test.endswith("./check")
    sample = ROOT / color.split()[-1]
    with Image.open(sample) as image:
        assert image.mode == "L"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no executable bit")
@pytest.mark.parametrize("script", ["check", ".ci/run"])
def test_scripts_are_executable_and_parse(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    subprocess.run(["bash", "-n", ROOT / script], check=True)


def test_the_tree_in_the_readme_names_every_module_and_no_other() -> None:
    tree = next(block for block in command_blocks() if "src/tinct/" in block)
    named: list[str] = []
    above: list[tuple[int, str]] = []  # indents and folders that a line lies in
    for line in tree.splitlines():
        indent, name = len(line) - len(line.lstrip()), line.split()[0]
        above = [(depth, folder) for depth, folder in above if depth < indent]
        path = "".join(folder for _, folder in above) + name
        if name.endswith("/"):
            above.append((indent, name))
        elif name.endswith(".py"):
            # Files behind a door are indented below its file: they lie in the same folder.
            named.append(path)
    rooms = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "src").rglob("*.py")
        if path.name != "__init__.py" or path.parent.name == "tinct"
    ]
    assert sorted(named) == sorted(rooms)


def test_paths_in_the_documents_exist() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8")):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_one_version_everywhere() -> None:
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {tinct.__version__}\n" in citation
    assert "version" in PROJECT["project"]["dynamic"]


def test_the_base_install_has_no_torch() -> None:
    base = " ".join(PROJECT["project"]["dependencies"])
    assert not re.search(r"torch|timm|lightning|opencv|scipy|scikit", base)


def test_every_extra_of_the_doctor_is_in_the_project() -> None:
    from tinct.command import doctor

    extras = PROJECT["project"]["optional-dependencies"]
    for name, modules in doctor.EXTRAS.items():
        wanted = {re.split(r"[\[>=]", line)[0].replace("-", "_") for line in extras[name]}
        called = {"opencv_python_headless": "cv2"}
        assert set(modules) == {called.get(one, one) for one in wanted}, name


def test_the_license_is_the_apache_license_word_for_word() -> None:
    words = " ".join((ROOT / "LICENSE").read_text("utf-8").split())
    known = "0ffddef9e48f8a09aed5caf2d44f7ba1c1be2d9b8e0a6f693b1635b2d5566645"
    assert hashlib.sha256(words.encode()).hexdigest() == known
    assert PROJECT["project"]["license"] == "Apache-2.0"


def test_no_file_is_unfinished_or_swallows_errors() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text("utf-8")
        assert not re.search(r"\bTODO\b|\bFIXME\b|NotImplementedError|except:", text), path


def test_pictures_name_their_source() -> None:
    listed = (ROOT / "examples" / "pictures" / "README.md").read_text("utf-8")
    for path in (ROOT / "examples" / "pictures").glob("*.jpg"):
        assert f"`{path.name}`" in listed


def test_every_public_name_is_in_the_api_page() -> None:
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    told = set(re.findall(r"^### `(\w+)", page, re.MULTILINE))
    others = {"Hint", "PictureWarning", "__version__"}
    errors = {name for name in tinct.__all__ if name.endswith("Error")}
    assert told == set(tinct.__all__) - others - errors
    architecture = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert "tinct.errors.TinctError" in architecture


def test_keyword_arguments_are_those_of_the_settings() -> None:
    """Whoever colors takes the same settings, and the guide names each."""
    names = set(tinct.Settings.__dataclass_fields__)
    assert set(Wanted.__annotations__) == names | {"settings"}
    for call in (tinct.colorize, tinct.Colorizer.__call__, tinct.Colorizer.file):
        (rest,) = [
            one
            for one in inspect.signature(call).parameters.values()
            if one.kind is inspect.Parameter.VAR_KEYWORD
        ]
        assert rest.annotation == "Unpack[Wanted]"
    guide = (ROOT / "docs" / "guide.md").read_text("utf-8")
    options_ = " ".join(options.PARSERS["colorize"]().names)
    for name in names:
        assert f"--{name}" in options_, name
        assert f"--{name}" in guide, name


def test_importing_tinct_is_light() -> None:
    code = "import sys, tinct; print(sorted({'numpy', 'onnxruntime', 'PIL'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


CONTRACTS = PROJECT["tool"]["importlinter"]["contracts"]


def modules_and_packages() -> set[str]:
    """Return what lies directly in the package, by its dotted name."""
    inside = ROOT / "src" / "tinct"
    names = {path.stem for path in inside.glob("*.py")} - {"__init__"}
    names |= {path.parent.name for path in inside.glob("*/__init__.py")}
    return {f"tinct.{name}" for name in names}


def test_every_module_of_the_use_wing_is_kept_from_torch() -> None:
    (contract,) = [one for one in CONTRACTS if "torch" in one.get("forbidden_modules", [])]
    assert set(contract["source_modules"]) == modules_and_packages() - {"tinct.train"}


def test_every_module_stands_in_a_layer() -> None:
    (contract,) = [one for one in CONTRACTS if one["name"].startswith("every module")]
    layered = {name for line in contract["layers"] for name in re.split(r"\s*[|:]\s*", line)}
    whole = {name for name in layered if name.count(".") == 1}
    inside = {name for name in layered if name.count(".") == 2}
    parts = {
        f"tinct.command.{path.stem}"
        for path in (ROOT / "src" / "tinct" / "command").glob("*.py")
        if path.stem != "__init__"
    }
    assert inside == parts  # the command line is layered file by file
    assert whole == modules_and_packages() - {"tinct.command"}


@pytest.mark.skipif(os.name == "nt", reason="the script is for bash")
@pytest.mark.parametrize(
    ("active", "words", "wanted"),
    [
        ({}, [], "own"),
        ({"CONDA_PREFIX": "/conda"}, [], "own"),
        ({"VIRTUAL_ENV": "active"}, [], "active"),
        ({}, ["tests/test_x.py"], "own"),
    ],
)
def test_check_takes_the_right_python(
    tmp_path: Path, active: dict[str, str], words: list[str], wanted: str
) -> None:
    script = tmp_path / "check"
    script.write_text((ROOT / "check").read_text("utf-8"))
    for name, folder in (("own", ".venv/bin"), ("active", "active/bin"), ("path", "path")):
        (tmp_path / folder).mkdir(parents=True)
        fake = tmp_path / folder / "python"
        fake.write_text(f'#!/bin/sh\necho "{name} $*"\n')
        fake.chmod(0o755)
    clean = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
    paths = f"{tmp_path / 'path'}{os.pathsep}{clean['PATH']}"
    done = subprocess.run(
        ["bash", script, *words],
        env={**clean, **active, "PATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if not line.startswith("---")]
    assert {line.split()[0] for line in lines} == {wanted}
    assert lines[-1].endswith(" ".join(words))
    assert ("--cov-fail-under=0" in lines[-1]) == bool(words)
