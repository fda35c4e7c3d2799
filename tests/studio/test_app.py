"""The HTTP interface without a browser: what it answers, refuses and bounds."""

from __future__ import annotations

import base64
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from PIL import Image
from skimage.color import rgb2lab

from tinct.studio import limits as limits_module
from tinct.studio.app import create_app
from tinct.studio.limits import BusyError, Gate, Limits

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
LOCAL = "http://localhost"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(), base_url=LOCAL) as made:
        yield made


def send(client: TestClient, data: bytes, name: str = "cat.jpg", **form: str) -> Any:
    return client.post("/v1/colorize", files={"picture": (name, data)}, data=form)


def is_problem(answer: Any, status: int) -> str:
    """RFC 9457: the media type, and members that say what is wrong."""
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    told = answer.json()
    assert told["status"] == status
    assert told["title"]
    return str(told["detail"])


def test_a_picture_comes_back_in_color(client: TestClient, cat: Path) -> None:
    answer = send(client, cat.read_bytes(), name='Über 1/../cat "1".jpg')
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-tinct-model"] == "photo"
    assert answer.headers["server-timing"].startswith("color;dur=")
    named = answer.headers["content-disposition"]
    assert "/" not in named
    assert "filename*=UTF-8''" in named
    with Image.open(io.BytesIO(answer.content)) as image, Image.open(cat) as given:
        assert image.size == given.size
        assert np.asarray(image.convert("HSV"))[..., 1].mean() > 10


def test_hints_and_options_count(client: TestClient, cat: Path) -> None:
    hint = json.dumps([{"kind": "point", "x": 0.1, "y": 0.1, "color": "#2040c0"}])
    plain = send(client, cat.read_bytes(), format="png")
    blue = send(client, cat.read_bytes(), format="png", hints=hint)
    gray = send(client, cat.read_bytes(), format="png", strength="0")
    warm = send(client, cat.read_bytes(), format="png", warmth="1")
    pictures = [
        np.asarray(Image.open(io.BytesIO(a.content))).astype(int) for a in (plain, blue, gray, warm)
    ]
    assert np.abs(pictures[0] - pictures[1]).max() > 20
    assert np.ptp(pictures[2], axis=2).max() <= 1
    assert pictures[3][..., 2].mean() < pictures[0][..., 2].mean() - 1  # less blue
    assert blue.headers["content-disposition"].endswith("cat.color.png")


def mean_ab(data: bytes) -> np.ndarray:
    rgb = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    return rgb2lab(rgb).reshape(-1, 3)[:, 1:].mean(0)


def palette_picture() -> bytes:
    """Greens, some of them darker."""
    rng = np.random.default_rng(4)
    rgb = np.stack([rng.integers(20, 90, (40, 60)) + add for add in (0, 45, 10)], axis=-1)
    held = io.BytesIO()
    Image.fromarray(rgb.astype(np.uint8)).save(held, "PNG")
    return held.getvalue()


def test_the_palette_of_another_picture(client: TestClient, cat: Path) -> None:
    green = palette_picture()
    plain = send(client, cat.read_bytes(), format="png").content
    files = {"picture": ("cat.jpg", cat.read_bytes()), "reference": ("green.png", green)}
    referred = client.post("/v1/colorize", files=files, data={"format": "png"}).content
    wanted = mean_ab(green)
    assert np.linalg.norm(mean_ab(referred) - wanted) < 8
    assert np.linalg.norm(mean_ab(plain) - wanted) > 20

    made = client.post("/v1/sessions", files={"picture": ("cat.jpg", cat.read_bytes())}).json()
    assert made["reference"] is None
    address = f"/v1/sessions/{made['id']}"
    state = client.put(f"{address}/reference", files={"picture": ("green.png", green)}).json()
    palette = state["reference"]
    assert (palette["name"], state["version"]) == ("green.png", 1)
    with Image.open(io.BytesIO(green)) as opened:
        lab = rgb2lab(np.asarray(opened)).reshape(-1, 3)  # scikit-image
    np.testing.assert_allclose(palette["mean"], lab.mean(0), atol=0.05)
    np.testing.assert_allclose(palette["covariance"], np.cov(lab.T, bias=True), atol=0.5)
    for form in ("png", "jpeg"):  # painted anew, and with the gray untouched
        saved = client.get(f"{address}/export?format={form}").content
        assert np.linalg.norm(mean_ab(saved) - wanted) < 8
    state = client.delete(f"{address}/reference").json()
    assert (state["reference"], state["version"]) == (None, 2)
    assert np.linalg.norm(mean_ab(client.get(f"{address}/export?format=png").content) - wanted) > 20
    # As undoing does, and what a recipe is for.
    state = client.put(address, json={"reference": palette}).json()
    assert state["reference"] == palette
    assert np.linalg.norm(mean_ab(client.get(f"{address}/export?format=png").content) - wanted) < 8
    recipe = client.get(f"{address}/recipe").json()
    assert {**recipe["settings"]["reference"], "name": "green.png"} == palette
    client.put(address, json={})
    state = client.put(f"{address}/recipe", json=recipe).json()
    assert state["reference"] == recipe["settings"]["reference"]
    bent = {**palette, "covariance": [[1, 5, 0], [5, 1, 0], [0, 0, 1]]}
    detail = is_problem(client.put(address, json={"reference": bent}), 422)
    assert "eference.covariance: is no covariance" in detail
    gray = {"picture": ("cat.jpg", cat.read_bytes())}
    detail = is_problem(client.put(f"{address}/reference", files=gray), 422)
    assert "no colors" in detail


def test_a_session_from_opening_to_closing(client: TestClient, cat: Path) -> None:
    made = client.post("/v1/sessions", files={"picture": ("cat.jpg", cat.read_bytes())})
    assert made.status_code == 201
    state = made.json()
    address = f"/v1/sessions/{state['id']}"
    assert len(state["id"]) >= 22  # 128 bits and more
    assert (state["width"], state["height"], state["reversible"]) == (451, 300, True)
    before = client.get(f"{address}/preview").content
    hint = {"kind": "point", "x": 0.1, "y": 0.1, "color": "#2040c0"}
    changed = client.put(address, json={"hints": [hint], "strength": 1.2, "warmth": 0.3}).json()
    assert changed["version"] == 1
    assert changed["warmth"] == 0.3
    assert changed["hints"][0]["x"] == 0.1
    assert client.get(address).json() == changed
    assert client.get(f"{address}/preview").content != before
    whole = Image.open(io.BytesIO(client.get(f"{address}/preview?whole=true").content))
    assert whole.size == (451, 300)
    likely = client.get(f"{address}/suggest?x=0.5&y=0.5").json()["colors"]
    assert sum(one["share"] for one in likely) <= 1.01
    assert client.get(f"{address}/suggest").json()["regions"]
    assert "Give both" in is_problem(client.get(f"{address}/suggest?x=0.5"), 422)
    for variant in client.get(f"{address}/variants").json()["variants"]:
        assert client.put(address, json={"hints": variant["hints"]}).status_code == 200
    png = client.get(f"{address}/export?format=png")
    assert Image.open(io.BytesIO(png.content)).size == (451, 300)
    assert client.get(f"{address}/doubt").headers["content-type"] == "image/png"
    assert client.delete(address).status_code == 204
    assert "open it again" in is_problem(client.get(address), 404)


def test_several_files_in_a_zip_have_different_names(client: TestClient, cat: Path) -> None:
    keys = [
        client.post("/v1/sessions", files={"picture": ("cat.jpg", cat.read_bytes())}).json()["id"]
        for _ in range(2)
    ]
    answer = client.get(f"/v1/exports.zip?keys={','.join(keys)}")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["cat.color.jpg", "cat.color-2.jpg"]
        assert archive.testzip() is None
    is_problem(client.get("/v1/exports.zip?keys=nothing"), 404)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"hints": "no json"}, "no JSON"),
        ({"hints": '[{"kind": "point"}]'}, "the field is missing"),
        (
            {"hints": '[{"kind": "patch", "picture": "/etc/passwd", "box": [0, 0, 1, 1]}]'},
            "picture",
        ),
        ({"strength": "9"}, "strength"),
        ({"warmth": "-2"}, "warmth"),
        ({"model": "../../secret"}, "no installed model"),
        ({"model": "/tmp"}, "no installed model"),
        ({"format": "exe"}, "format"),
        ({"keep": "all"}, "keep"),
    ],
)
def test_wrong_values_are_told(
    client: TestClient, cat: Path, form: dict[str, str], told: str
) -> None:
    assert told in is_problem(send(client, cat.read_bytes(), **form), 422)


def test_what_is_no_picture_is_told(client: TestClient) -> None:
    for data in (b"", b"no picture", b"\x89PNG\r\n\x1a\n broken"):
        detail = is_problem(send(client, data), 422)
        assert "\n" not in detail
    is_problem(client.post("/v1/colorize", files={}), 422)
    malformed = client.post(
        "/v1/colorize",
        content=b"--x\r\nbroken",
        headers={"content-type": "multipart/form-data; boundary=x"},
    )
    assert malformed.status_code in (400, 422)
    missing = client.post(
        "/v1/colorize", content=b"x", headers={"content-type": "multipart/form-data"}
    )
    assert missing.status_code in (400, 422)


def test_limits_hold(cat: Path) -> None:
    bomb = bytearray(cat.read_bytes())
    frame = bomb.index(b"\xff\xc0")
    bomb[frame + 5 : frame + 9] = b"\xff\xf0\xff\xf0"
    with TestClient(create_app(limits=Limits(upload=200_000, pixels=50_000)), base_url=LOCAL) as c:
        assert "200000 bytes" in is_problem(send(c, bytes(300_000)), 413)
        assert "pixels, more than" in is_problem(send(c, cat.read_bytes()), 422)
        is_problem(send(c, bytes(bomb)), 422)
        head = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.jpg"\r\n\r\n'
        lying = c.post(
            "/v1/colorize",
            content=iter([head, *[bytes(150_000)] * 3]),  # in chunks, without a length
            headers={"content-type": "multipart/form-data; boundary=x"},
        )
        assert lying.status_code == 413


def test_sessions_are_bounded_and_end(cat: Path) -> None:
    with TestClient(create_app(limits=Limits(sessions=2)), base_url=LOCAL) as c:
        keys = [
            c.post("/v1/sessions", files={"picture": ("a.jpg", cat.read_bytes())}).json()["id"]
            for _ in range(3)
        ]
        assert [c.get(f"/v1/sessions/{key}").status_code for key in keys] == [404, 200, 200]
        studio = c.app.state.desk.studio  # type: ignore[attr-defined]
        assert len(list(studio.folder.iterdir())) == 2
        studio.idle = -1
        assert c.get(f"/v1/sessions/{keys[2]}").status_code == 404
        folder = studio.folder
    assert not folder.exists()


def test_who_may_ask() -> None:
    with TestClient(create_app(token="secret"), base_url=LOCAL) as c:
        assert c.get("/healthz").status_code == 200
        is_problem(c.get("/v1/models"), 401)
        is_problem(c.get("/v1/models", headers={"Authorization": "Bearer wrong"}), 401)
        assert c.get("/v1/models", headers={"Authorization": "Bearer secret"}).status_code == 200
        is_problem(c.get("/?token=wrong"), 401)
        opened = c.get("/?token=secret")
        assert "HttpOnly; SameSite=Strict" in opened.headers["set-cookie"]
        assert c.get("/v1/models").status_code == 200  # by the cookie
        is_problem(c.get("/v1/models", headers={"Host": "evil.example"}), 421)


def test_other_sites_are_kept_out(client: TestClient, cat: Path) -> None:
    files = {"picture": ("cat.jpg", cat.read_bytes())}
    for origin in ("https://evil.example", "null"):
        answer = client.post("/v1/sessions", files=files, headers={"Origin": origin})
        is_problem(answer, 403)
    assert client.post("/v1/sessions", files=files, headers={"Origin": LOCAL}).status_code == 201
    answer = client.get("/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in answer.headers
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py"):
        assert client.get(path).status_code == 404


def test_the_gate_lets_so_many_in() -> None:
    gate = Gate(Limits(working=1, waiting=1, seconds=5))
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with gate.turn():
            inside.set()
            leave.wait(10)

    first, second = threading.Thread(target=hold), threading.Thread(target=hold)
    first.start()
    assert inside.wait(5)
    second.start()
    for _ in range(100):
        if gate.waiting == 1:
            break
        threading.Event().wait(0.02)
    with pytest.raises(BusyError), gate.turn():
        pass
    assert (gate.working, gate.waiting, gate.refused) == (1, 1, 1)
    leave.set()
    first.join(10)
    second.join(10)
    with gate.turn():
        assert gate.working == 1
    late = Gate(Limits(working=1, waiting=1, seconds=0.05))
    with late.turn(), pytest.raises(BusyError), late.turn():
        pass


def test_too_many_are_told_when_to_come_again(
    client: TestClient, cat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(_: object) -> None:
        raise BusyError

    monkeypatch.setattr(limits_module.Gate, "turn", busy)
    answer = send(client, cat.read_bytes())
    is_problem(answer, 503)
    assert int(answer.headers["retry-after"]) > 0


def test_health_models_and_metrics(client: TestClient) -> None:
    assert client.get("/healthz").json()["status"] == "alive"
    assert client.get("/readyz").json() == {"status": "ready"}
    assert {"photo", "lineart"} <= {one["name"] for one in client.get("/v1/models").json()}
    text = client.get("/metrics").text
    assert 'tinct_requests_total{route="/healthz",status="200"}' in text
    for line in text.splitlines():
        assert line.startswith("# TYPE ") or float(line.rsplit(" ", 1)[1]) >= 0


schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(hosts=("*",)))


@schema.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_answer_that_is_not_told_of(case: schemathesis.Case) -> None:
    answer = case.call()
    assert answer.status_code < 500
    told = case.operation.definition.raw["responses"]
    assert str(answer.status_code) in told or answer.status_code in (400, 404, 405, 406, 415)


def test_pictures_in_hints_are_bounded_together(client: TestClient, cat: Path) -> None:
    held = io.BytesIO()
    Image.new("RGBA", (4000, 3500), (200, 30, 30, 255)).save(held, "PNG", compress_level=9)
    data = f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}"
    assert len(data) < 200_000
    patch = {"kind": "patch", "box": [0, 0, 0.5, 0.5], "picture": data}
    assert send(client, cat.read_bytes(), hints=json.dumps([patch])).status_code == 200
    detail = is_problem(send(client, cat.read_bytes(), hints=json.dumps([patch, patch])), 422)
    assert "ints[1].picture" in detail
    assert "at most are taken" in detail
