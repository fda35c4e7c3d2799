"""The addresses of the studio's HTTP interface.

Errors are problem details (RFC 9457). Work on pictures happens in threads, as many at a time as the
limits allow; whoever finds too many waiting gets 503 with Retry-After.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any

from fastapi import FastAPI, File, Form, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

from tinct import __version__
from tinct.bundle import list_bundles
from tinct.coloring.palette import read_palette
from tinct.errors import DeviceError, ModelError, PictureError, SaveError, TinctError, UsageError
from tinct.settings import AUTO, KEEPS, QUALITIES, STRONGEST, WARMEST, Settings
from tinct.studio import exports
from tinct.studio.desk import Desk
from tinct.studio.guard import PROBLEM, RETRY_SECONDS, Guard, Line, problem, request_id
from tinct.studio.limits import BusyError, Limits
from tinct.studio.schemas import ERRORS, FORMATS, MEDIA, free_name, parsed, saved_as
from tinct.studio.session_addresses import session_router
from tinct.studio.sessions import hints_of

STATIC = Path(__file__).parent / "static"
STATUS: tuple[tuple[type[TinctError], int], ...] = (
    (PictureError, 422),
    (UsageError, 422),
    (SaveError, 422),
    (ModelError, 500),
    (DeviceError, 503),
)
MOST_ZIPPED = 200


def create_app(
    *,
    limits: Limits | None = None,
    hosts: Sequence[str] = ("localhost", "127.0.0.1", "::1"),
    token: str | None = None,
    page: bool = True,
    sessions: bool = True,
    log: Callable[[Line], object] | None = None,
) -> FastAPI:
    """Return the application.

    Args:
        limits: what is refused; None means the defaults.
        hosts: names under which it may be asked; ``*`` allows any.
        token: that must come along with every request, or None.
        page: whether the page is served too, beside the interface.
        sessions: whether pictures may be kept open, which one process alone can do.
        log: is told of every request that was answered.
    """
    limits = limits or Limits()
    desk = Desk(limits)
    studio, gate, working = desk.studio, desk.gate, desk.working

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        studio.close()

    app = FastAPI(
        title="tinct",
        version=__version__,
        description="Color black-and-white photographs and line drawings. Pictures stay on this "
        "computer.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.desk = desk
    _handle_errors(app, sessions=sessions)

    @app.middleware("http")
    async def count(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await call_next(request)
        route = getattr(request.scope.get("route"), "path", "other")
        key = (route, response.status_code)
        desk.requests[key] = desk.requests.get(key, 0) + 1
        return response

    app.add_middleware(
        Guard,
        hosts=hosts,
        token=token,
        upload=limits.upload,
        seconds=limits.seconds,
        most=limits.waiting + limits.working + 64,
        log=log,
    )

    @app.post(
        "/v1/colorize",
        responses={
            200: {"content": {"image/*": {}}, "description": "the colored picture"},
            **ERRORS,
        },
        response_class=Response,
    )
    def colorize(  # noqa: PLR0917  (the fields of a form)
        picture: Annotated[UploadFile, File(description="a picture file")],
        hints: Annotated[str, Form(description="hints as JSON")] = "[]",
        strength: Annotated[float, Form(ge=0, le=STRONGEST)] = 1.0,
        warmth: Annotated[float, Form(ge=-WARMEST, le=WARMEST)] = 0.0,
        quality: Annotated[str, Form(pattern=f"^({'|'.join(QUALITIES)})$")] = "balanced",
        model: Annotated[str, Form(max_length=200)] = AUTO,
        keep: Annotated[str, Form(pattern=f"^({'|'.join(KEEPS)})$")] = "auto",
        reference: Annotated[
            UploadFile | None, File(description="a picture whose palette the colors take")
        ] = None,
        format: Annotated[str | None, Form(pattern=FORMATS)] = None,  # noqa: A002
    ) -> Response:
        """Color one picture. No state is kept."""
        settings = Settings(
            hints=hints_of(parsed(hints)),
            strength=strength,
            warmth=warmth,
            quality=quality,
            keep=keep,
        )
        with working():
            began = time.perf_counter()
            if reference is not None:
                palette = read_palette(reference.file.read(), max_pixels=limits.pixels)
                settings = replace(settings, reference=palette)
            once = exports.open_once(picture.filename or "picture", picture.file.read())
            data, kind, name = exports.color_once(
                studio, once, settings, model=model, file_format=format
            )
            spent = time.perf_counter() - began
        desk.colored += 1
        headers = {
            "Server-Timing": f"color;dur={spent * 1000:.1f}",
            "X-Tinct-Model": name,
            **saved_as(once.name, kind),
        }
        return Response(data, media_type=MEDIA[kind], headers=headers)

    if sessions:
        app.include_router(session_router(desk))
        _serve_zip(app, desk)

    @app.get("/v1/models", responses={key: ERRORS[key] for key in (401, 421)})
    def models() -> list[dict[str, Any]]:
        """List the installed models."""
        return [
            {"name": one.name, "task": one.manifest.task, "license": one.manifest.license,
             "suggests": bool(one.manifest.ab_bins)}
            for one in list_bundles()
        ]  # fmt: skip

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """Say that the server lives."""
        return {"status": "alive", "version": __version__}

    @app.get("/readyz", responses={503: ERRORS[503]})
    def readyz() -> dict[str, str]:
        """Say that the server takes requests."""
        if gate.waiting >= limits.waiting:
            raise BusyError
        studio.front(AUTO)
        return {"status": "ready"}

    @app.get("/metrics", responses={key: ERRORS[key] for key in (401, 421)})
    def metrics() -> Response:
        """Return counters in the text format of Prometheus."""
        return Response(desk.metrics(), media_type="text/plain; version=0.0.4")

    if page and sessions:
        _serve_page(app)
    return app


def _serve_zip(app: FastAPI, desk: Desk) -> None:
    @app.get(
        "/v1/exports.zip",
        responses={200: {"content": {"application/zip": {}}}, **ERRORS},
        response_class=StreamingResponse,
    )
    def export_all(
        keys: Annotated[str, Query(description="sessions, between commas", max_length=20_000)],
    ) -> StreamingResponse:
        """Return several colored files in one ZIP."""
        sessions = [desk.session(key) for key in keys.split(",")[:MOST_ZIPPED]]
        held = SpooledTemporaryFile(max_size=64 << 20)  # noqa: SIM115  (closed when it is sent)
        taken: set[str] = set()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:
            for session in sessions:
                with desk.working():
                    data, kind = exports.export(desk.studio, session, None)
                archive.writestr(free_name(session.name, kind, taken), data)
        held.seek(0)

        def parts() -> Iterator[bytes]:
            with held:
                while part := held.read(1 << 20):
                    yield part

        headers = {"Content-Disposition": 'attachment; filename="tinct.zip"'}
        return StreamingResponse(parts(), media_type="application/zip", headers=headers)


def _serve_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    def index() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    @app.get("/docs", include_in_schema=False)
    def docs() -> FileResponse:
        return FileResponse(STATIC / "docs.html")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")


def _handle_errors(app: FastAPI, *, sessions: bool) -> None:
    """Answer every error with problem details."""

    def told(
        request: Request, status: int, title: str, detail: str, **headers: str
    ) -> JSONResponse:
        body = problem(status, title, detail, request=request_id(request.scope))  # type: ignore[arg-type]
        return JSONResponse(body, status, headers=headers or None, media_type=PROBLEM)

    @app.exception_handler(TinctError)
    async def known(request: Request, error: TinctError) -> JSONResponse:
        status = next((code for kind, code in STATUS if isinstance(error, kind)), 500)
        text = str(error)
        return told(request, status, "Not possible", text[:1].upper() + text[1:])

    @app.exception_handler(BusyError)
    async def busy(request: Request, _: BusyError) -> JSONResponse:
        return told(
            request, 503, "Busy", "Too many pictures are waiting; try again in a moment.",
            **{"Retry-After": str(RETRY_SECONDS)},
        )  # fmt: skip

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
        return told(request, 422, "Not valid", f"{where}: {first['msg']}.")

    @app.exception_handler(StarletteHTTPException)
    async def plain(request: Request, error: StarletteHTTPException) -> JSONResponse:
        missing = error.status_code == 404
        detail = str(error.detail)
        if missing and not sessions and request.url.path.startswith("/v1/sessions"):
            detail = (
                "Several workers keep no sessions: color with POST /v1/colorize, or serve with one "
                "worker."
            )
        title = "Not found" if missing else "Not possible"
        return told(request, error.status_code, title, detail)

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> JSONResponse:
        what = f"A defect of tinct ({type(error).__name__}); please report it."
        return told(request, 500, "Defect", what)
