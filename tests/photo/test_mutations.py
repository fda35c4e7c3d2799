"""Whatever a file holds, it opens or is refused in one sentence: no crash, hang or half file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.photo import mutations
from tests.photo.mutations import case, sound

from tinct.errors import PictureError
from tinct.photo import open_photo

CASES = 2400
AT_ONCE = 300
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", sound())
@pytest.mark.filterwarnings("ignore")
def test_what_is_damaged_was_sound(kind: str) -> None:
    assert open_photo(sound()[kind]).pixels in (48 * 64, 24 * 32)


@pytest.mark.parametrize("first", range(0, CASES, AT_ONCE))
def test_damaged_files_open_or_are_refused(first: int) -> None:
    command = [sys.executable, "-m", "tests.photo.mutations", str(first), str(first + AT_ONCE)]
    ran = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    assert [line for line in lines if "wrong" in line] == []
    assert ran.returncode == 0, f"the process died at {lines[-1]}: {ran.stderr[-2000:]}"
    assert lines[-1] == {"done": AT_ONCE}


def test_cases_are_the_same_everywhere_and_damaged() -> None:
    whole = set(sound().values())
    cases = [case(number)[1] for number in range(200)]
    assert cases == [case(number)[1] for number in range(200)]
    assert sum(data in whole for data in cases) < 10


def test_lies_are_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes, **_: object) -> None:
        raise KeyError("a tag")

    monkeypatch.setattr(mutations, "open_photo", broken)
    assert mutations.attempt("png 1", b"", tmp_path) == "KeyError: 'a tag'"


@pytest.mark.parametrize(
    ("width", "height"), [(60_000, 60_000), (1 << 30, 1), (2**31 - 1, 2**31 - 1)]
)
def test_bombs_are_refused_by_their_headers(width: int, height: int) -> None:
    data = bytearray(sound()["png"])
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    with pytest.raises(PictureError):
        open_photo(bytes(mutations._with_checksums(data)))
