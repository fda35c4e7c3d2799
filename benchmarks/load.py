"""Put a server under load: many large uploads at once, on this computer.

``python -m benchmarks.load [--clients 50] [--megapixels 12] [--queue 32]`` starts ``tinct serve``,
lets all clients send a gray JPEG to ``POST /v1/colorize`` at the same moment, and tells how it
answered, how long that took, and the server's highest resident memory. Every answer must be 200, or
503 with Retry-After.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks import pictures

BOUNDARY = "tinct-load"
LONGEST = 600.0
"""Seconds that a client waits for an answer."""


def colorize(address: str, data: bytes, *, name: str) -> tuple[int, bytes, dict[str, str]]:
    """Post a picture and return status, body and headers of the answer."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="picture"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
    place = urlsplit(address)
    connection = http.client.HTTPConnection(
        place.hostname or "127.0.0.1", place.port, timeout=LONGEST
    )
    try:
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        connection.request("POST", "/v1/colorize", body, {"Content-Type": kind})
        answer = connection.getresponse()
        return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
    finally:
        connection.close()


def peak_mb(process: int) -> float:
    """Return the highest resident memory of a running process so far, MB of 1024 * 1024 bytes."""
    for line in Path(f"/proc/{process}/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the system does not tell the memory of other processes")


def measure(address: str, data: bytes, *, clients: int) -> dict[str, Any]:
    """Let clients ask at the same moment and return what they were answered."""
    ready, found = threading.Barrier(clients), []
    lock = threading.Lock()

    def ask() -> None:
        ready.wait()
        began = time.perf_counter()
        status, _, headers = colorize(address, data, name="gray.jpg")
        with lock:
            found.append((status, time.perf_counter() - began, "retry-after" in headers))

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = [seconds for status, seconds, _ in found if status == 200]
    return {
        "clients": clients,
        "answered": {str(status): n for status, n in Counter(one[0] for one in found).items()},
        "as_promised": len(found) == clients
        and all(status == 200 or (status == 503 and later) for status, _, later in found),
        "seconds": {
            f"p{q}": round(float(np.quantile(good, q / 100)), 2) for q in (0, 50, 90, 100) if good
        },
    }


def main(words: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--queue", type=int, default=32)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gray.jpg"
        data = pictures.write_photograph(path, megapixels=given.megapixels).read_bytes()
    command = [sys.executable, "-m", "tinct", "serve", "--port", "0", "--queue", str(given.queue)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        address = server.stdout.readline().strip()
        colorize(address, data, name="first.jpg")
        before = peak_mb(server.pid)
        told = measure(address, data, clients=given.clients)
        told |= {
            "megapixels": given.megapixels,
            "one_picture_mb": round(before),
            "peak_mb": round(peak_mb(server.pid)),
        }
    finally:
        server.terminate()
        server.wait(timeout=60)
        server.stdout.close()
    print(json.dumps(told, indent=None if given.json else 1))
    return 0 if told["as_promised"] else 1


if __name__ == "__main__":
    sys.exit(main())
