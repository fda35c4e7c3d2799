"""Who may ask a server, and how much they may send: checks before any address is looked at.

References:
    [1] RFC 9457, Problem Details for HTTP APIs.
    [2] RFC 6750, The OAuth 2.0 Authorization Framework: Bearer Token Usage.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBLEM = "application/problem+json"
COOKIE = "tinct_token"
OPEN = ("/healthz", "/readyz")
"""Addresses that need no token."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; manifest-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


RETRY_SECONDS = 5
"""Seconds after which whoever was refused for lack of room may come again."""
REQUEST_ID = "x-request-id"
HARMLESS = re.compile(r"[A-Za-z0-9._-]{1,64}")


def problem(status: int, title: str, detail: str, *, request: str = "") -> dict[str, Any]:
    """Return the body of an error [1]; ``request`` is the request's id."""
    told = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return {**told, "instance": f"urn:tinct:request:{request}"} if request else told


def request_id(scope: Scope) -> str:
    """Return the id of a request: the one that came with it, if it is harmless, or a new one."""
    if "tinct.request" not in scope:
        given = dict(scope["headers"]).get(REQUEST_ID.encode(), b"").decode("latin-1")
        scope["tinct.request"] = given if HARMLESS.fullmatch(given) else secrets.token_hex(8)
    return str(scope["tinct.request"])


@dataclass(frozen=True)
class Line:
    """A line of a log; it names no picture and no session.

    Attributes:
        request: the request's id.
        method: of HTTP.
        route: the address's pattern, such as ``/v1/sessions/{key}``.
        status: of the answer; 0 where the client went away before.
        ms: milliseconds from the request's head to the answer's end.
        sent: bytes of the answer's body.
    """

    request: str
    method: str
    route: str
    status: int
    ms: float
    sent: int


class TooLongError(Exception):
    """A body is larger than allowed, or took too long to come."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Guard:
    """Checks host, origin, token and the size of bodies, and adds headers to every answer.

    Args:
        app: what answers when all is well.
        hosts: names under which the server may be asked, without port; ``*`` allows any, ``#`` any
            numerical address, which no other site's name can stand for.
        token: that must come along, or None.
        upload: bytes that a body may have.
        seconds: that it may take to arrive.
        most: requests that are taken at a time; whoever comes then is asked to come again.
        log: is told of every request that was answered; see :class:`Line`.
    """

    def __init__(
        self,
        app: App,
        *,
        hosts: Sequence[str],
        token: str | None,
        upload: int,
        seconds: float,
        most: int,
        log: Callable[[Line], object] | None = None,
    ) -> None:
        self.app = app
        self.log = log
        self.hosts = {host.lower() for host in hosts}
        self.token = token
        self.upload = upload
        self.seconds = seconds
        self.most = most
        self.taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1")
                   for name, value in scope["headers"]}  # fmt: skip
        fresh = self._fresh_token(scope)
        request, began, status, sent = request_id(scope), time.perf_counter(), 0, 0

        async def sending(message: Message) -> None:
            nonlocal status, sent
            sent += len(message.get("body", b""))
            if message["type"] == "http.response.start":
                status = message["status"]
                held = list(message.get("headers", []))
                held += [(n.lower().encode(), v.encode()) for n, v in HEADERS.items()]
                held.append((REQUEST_ID.encode(), request.encode()))
                if fresh:
                    value = f"{COOKIE}={self.token}; Path=/; HttpOnly; SameSite=Strict"
                    held.append((b"set-cookie", value.encode("latin-1")))
                message = {**message, "headers": held}
            await send(message)

        self.taken += 1
        try:
            refused = self._refusal(scope, headers, fresh=fresh)
            if refused is not None:
                await _answer(sending, *refused, request=request)
            else:
                await self._asked(scope, receive, sending)
        finally:
            self.taken -= 1
            if self.log is not None:
                spent = round((time.perf_counter() - began) * 1000, 1)
                route = getattr(scope.get("route"), "path", "other")
                self.log(Line(request, scope["method"], route, status, spent, sent))

    async def _asked(self, scope: Scope, receive: Receive, sending: Send) -> None:
        """Let the app answer, with a body that may not be too large or too slow."""
        begun, late = False, 0

        async def noting(message: Message) -> None:
            nonlocal begun
            if late and not begun:
                return  # whatever was made of the broken body is answered below
            begun = begun or message["type"] == "http.response.start"
            await sending(message)

        counted = self._counted(receive)

        async def noted() -> Message:
            nonlocal late
            try:
                return await counted()
            except TooLongError as error:
                late = error.status
                raise

        with suppress(TooLongError):
            await self.app(scope, noted, noting)
        if late and not begun:
            what = (
                f"A request may have {self.upload} bytes; send a smaller picture."
                if late == 413
                else f"The request took longer than {self.seconds:g} s to arrive; try again."
            )
            await _answer(sending, late, "Request not taken", what, request=request_id(scope))

    def _refusal(  # noqa: PLR0911  (one for each reason)
        self, scope: Scope, headers: dict[str, str], *, fresh: bool
    ) -> tuple[int, str, str] | None:
        """Return why a request is not looked at, or None."""
        host = _name_of(headers.get("host", ""))
        if not (self.hosts & {"*", host} or ("#" in self.hosts and _is_address(host))):
            return 421, "Wrong host", "The server is not asked by this name; see --host."
        origin = headers.get("origin")
        if origin not in (None, "null") and scope["method"] not in ("GET", "HEAD"):
            if origin.split("://", 1)[-1].lower() != headers.get("host", "").lower():
                return 403, "Other origin", "Pages of other sites may not use this server."
        elif origin == "null" and scope["method"] not in ("GET", "HEAD"):
            return 403, "Other origin", "Pages of other sites may not use this server."
        if self.token is not None and scope["path"] not in OPEN and not fresh:
            given = headers.get("authorization", "").removeprefix("Bearer ") or _cookie(headers)
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                return 401, "No token", "Send the server's token: Authorization: Bearer TOKEN."
        if self.taken > self.most and scope["path"] not in OPEN:
            return 503, "Busy", "Too many requests are being answered; try again in a moment."
        length = headers.get("content-length", "0")
        if not length.isdigit():
            return 400, "Bad length", "Content-Length must be a number."
        if int(length) > self.upload:
            what = f"A request may have {self.upload} bytes, not {length}; send a smaller picture."
            return 413, "Too large", what
        return None

    def _fresh_token(self, scope: Scope) -> bool:
        """Tell whether the page is opened with the right token in its address."""
        if self.token is None or scope["path"] != "/":
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return hmac.compare_digest(given.encode(), self.token.encode())

    def _counted(self, receive: Receive) -> Receive:
        """Return ``receive``, which fails when a body is too large or too slow."""
        total = 0
        end = asyncio.get_running_loop().time() + self.seconds
        whole = False

        async def counted() -> Message:
            nonlocal total, whole
            if whole:
                return await receive()
            left = end - asyncio.get_running_loop().time()
            try:
                message = await asyncio.wait_for(receive(), max(left, 0.001))
            except TimeoutError:
                raise TooLongError(408) from None
            total += len(message.get("body", b""))
            if total > self.upload:
                raise TooLongError(413)
            whole = not message.get("more_body", False)
            return message

        return counted


def _name_of(host: str) -> str:
    """Return the name in a Host header, without its port."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].split("]", 1)[0]
    return host.rsplit(":", 1)[0] if host.count(":") == 1 else host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _cookie(headers: dict[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


async def _answer(send: Send, status: int, title: str, detail: str, *, request: str) -> None:
    body = json.dumps(problem(status, title, detail, request=request)).encode()
    headers = [(b"content-type", PROBLEM.encode()), (b"content-length", str(len(body)).encode())]
    if status in (408, 413, 503):
        headers.append((b"connection", b"close"))  # what is left of the body is not waited for
    if status == 503:
        headers.append((b"retry-after", str(RETRY_SECONDS).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
