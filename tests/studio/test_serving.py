"""The server as a process: its log, its end, its workers, and clients that take their time."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import uvicorn
from benchmarks import load
from PIL import Image

from tinct.studio import connections
from tinct.studio.app import create_app
from tinct.studio.connections import Impatient
from tinct.studio.limits import Limits

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@contextlib.contextmanager
def serving(*words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server process and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tinct", "serve", "--port", "0", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # The address must come through a pipe by itself.
        env={key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"},
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip().rstrip("/"), process
    finally:
        process.kill()
        process.communicate()


def ask(address: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def noise(side: int) -> bytes:
    held = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (side, side), np.uint8)
    Image.fromarray(pixels).save(held, "png", compress_level=0)
    return held.getvalue()


def test_what_runs_is_finished_when_the_server_is_told_to_stop(cat: Path) -> None:
    with serving("--log") as (address, process):
        assert ask(f"{address}/readyz")[0] == 200
        found: list[tuple[int, bytes]] = []
        picture = noise(2500)

        def color() -> None:
            found.append(load.colorize(address, picture, name="n.png")[:2])

        thread = threading.Thread(target=color)
        thread.start()
        while b"tinct_requests_working 1" not in ask(f"{address}/metrics")[2]:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        thread.join(timeout=60)
        status, data = found[0]
        assert status == 200
        assert Image.open(io.BytesIO(data)).size == (2500, 2500)
        assert process.wait(timeout=40) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", urlsplit(address).port or 0), timeout=5)
        assert process.stderr is not None
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
        colored = next(line for line in lines if line["route"] == "/v1/colorize")
        assert (colored["method"], colored["status"]) == ("POST", 200)
        assert colored["sent"] == len(data)
        assert not any("n.png" in json.dumps(line) for line in lines)


def test_requests_have_ids(cat: Path) -> None:
    with serving("--log") as (address, process):
        mine = ask(f"{address}/v1/sessions/none", **{"X-Request-ID": "abc-1.2_3"})
        assert mine[1]["x-request-id"] == "abc-1.2_3"
        assert json.loads(mine[2])["instance"] == "urn:tinct:request:abc-1.2_3"
        other = ask(f"{address}/healthz", **{"X-Request-ID": 'a"b\u00e9 c'})[1]["x-request-id"]
        assert other.isalnum()
        assert other != ask(f"{address}/healthz")[1]["x-request-id"]
        process.terminate()
        assert process.stderr is not None
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
        assert [line["request"] for line in lines][:2] == ["abc-1.2_3", other]
        assert lines[0]["route"] == "/v1/sessions/{key}"


def test_workers_share_an_address_and_keep_no_sessions(cat: Path) -> None:
    with serving("--workers", "2") as (address, process):
        status, data, _ = load.colorize(address, cat.read_bytes(), name="cat.jpg")
        assert status == 200
        assert Image.open(io.BytesIO(data)).size == (451, 300)
        told = ask(f"{address}/v1/sessions/none")
        assert told[0] == 404
        assert "one worker" in json.loads(told[2])["detail"]
        process.terminate()
        assert process.wait(timeout=40) == 0


@contextlib.contextmanager
def listening(limits: Limits) -> Iterator[tuple[str, int]]:
    """A server in a thread, as `tinct serve` sets it up, and its address."""
    app = create_app(limits=limits)
    config = uvicorn.Config(app, port=0, log_level="error", http=Impatient, timeout_keep_alive=15)
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join(timeout=20)


def read_all(client: socket.socket) -> bytes:
    """What comes until the other side closes."""
    client.settimeout(20)
    return b"".join(iter(lambda: client.recv(65536), b""))


def test_a_body_that_never_ends_is_cut_off() -> None:
    with listening(Limits(seconds=1.0)) as address:
        with socket.create_connection(address, timeout=20) as client:
            client.sendall(
                b"POST /v1/colorize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
            )
            answer = b""
            for _ in range(100):  # a byte now and then, until the server has had enough
                with contextlib.suppress(OSError):
                    client.sendall(b"y")
                client.settimeout(0.2)
                with contextlib.suppress(TimeoutError):
                    answer += client.recv(65536)
                if b"\r\n\r\n" in answer and answer.endswith(b"}"):
                    break  # the head may come before the body
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"took longer than 1 s" in answer


def test_a_head_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with listening(Limits()) as address:
        with socket.create_connection(address, timeout=20) as client:
            client.sendall(whole[:30])
            assert read_all(client).startswith(b"HTTP/1.1 408 ")
        with socket.create_connection(address, timeout=20) as client:  # after a whole one, too
            client.sendall(whole)
            first = client.recv(65536)
            assert first.startswith(b"HTTP/1.1 200 ")
            client.sendall(whole[:30])
            assert b"HTTP/1.1 408 " in read_all(client)  # the first one's body may come before


def test_a_connection_between_requests_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    with listening(Limits()) as (host, port):
        client = http.client.HTTPConnection(host, port, timeout=20)
        seen = []
        for pause in (0.0, 0.7):
            time.sleep(pause)
            client.request("GET", "/healthz")
            with client.getresponse() as answer:
                answer.read()
                seen.append((answer.status, client.sock))
        assert [status for status, _ in seen] == [200, 200]
        assert seen[0][1] is not None
        assert seen[0][1] is seen[1][1], "the client connected anew"
        client.close()


def test_too_many_connections_are_told_when_to_come_again() -> None:
    head = (
        b"POST /v1/colorize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(listening(Limits(working=1, waiting=0, seconds=30)))
        for _ in range(65):  # their bodies do not come
            held = stack.enter_context(socket.create_connection(address, timeout=20))
            held.sendall(head)
        deadline = time.monotonic() + 20
        answer = b""
        while not answer.startswith(b"HTTP/1.1 503 ") and time.monotonic() < deadline:
            with socket.create_connection(address, timeout=20) as one_more:
                one_more.sendall(
                    b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                )
                answer = read_all(one_more)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 5\r\n" in answer
        assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["status"] == 503
        status, _, _ = ask(f"http://{address[0]}:{address[1]}/healthz", Host="localhost")
        assert status == 200


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_lines_of_the_guide_do_what_they_say(cat: Path, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "studio.md").read_text("utf-8")
    block = page.split("## For programs", 1)[1].split("```")[1].replace("\\\n", " ")
    lines = [shlex.split(line) for line in block.strip().splitlines()]
    assert len(lines) >= 5
    shutil.copy(cat, tmp_path / "photo.jpg")
    with serving() as (address, _):
        for words in lines:
            here = [word.replace("http://127.0.0.1:8642", address) for word in words]
            here[1:1] = ["--fail", "--silent", "--show-error"]
            done = subprocess.run(here, cwd=tmp_path, capture_output=True, timeout=60, check=False)
            assert done.returncode == 0, (words, done.stderr)

    def pixels(name: str) -> np.ndarray:
        with Image.open(tmp_path / name) as image:
            return np.asarray(image).astype(int)

    plain, hinted = pixels("colored.jpg"), pixels("hinted.jpg")
    assert plain.shape == hinted.shape == pixels("colored.png").shape == (300, 451, 3)
    place = np.s_[175:185, 175:185]
    assert (hinted - plain)[place][..., 1].mean() > (hinted - plain)[place][..., 0].mean() + 10


def test_the_load_script_counts_every_answer(capsys: Any) -> None:
    words = ["--clients", "6", "--megapixels", "0.05", "--queue", "2", "--json"]
    assert load.main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["answered"] == {k: v for k, v in told["answered"].items() if k in ("200", "503")}
    assert sum(told["answered"].values()) == 6
    assert told["peak_mb"] > 50
