"""The addresses of pictures that are worked on: /v1/sessions."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, File, HTTPException, Query, Response, UploadFile

from tinct.errors import UsageError
from tinct.hints.files import as_json
from tinct.sidecar import palette_as_json, palette_from_json
from tinct.studio import exports, views
from tinct.studio.desk import Desk
from tinct.studio.schemas import ERRORS, EXPORTS, MEDIA, Change, State, saved_as
from tinct.studio.sessions import Session, Wanted, hints_of, is_reversible


def state_of(desk: Desk, session: Session) -> State:
    """Return a session as the page sees it."""
    colorizer, proposal = desk.studio.proposed(session)
    wanted = session.wanted
    return State(
        id=session.key,
        name=session.name,
        width=session.picture.width,
        height=session.picture.height,
        version=session.version,
        model=colorizer.name,
        task=colorizer.bundle.manifest.task,
        suggests=proposal.bins is not None,
        reversible=not proposal.paints and is_reversible(session),
        warnings=list(session.warnings),
        hints=[as_json(hint) for hint in wanted.hints],
        strength=wanted.strength,
        warmth=wanted.warmth,
        reference=None if wanted.reference is None else palette_as_json(wanted.reference),
        keep=wanted.keep,
        quality=wanted.quality,
        wanted_model=wanted.model,
    )


def session_router(desk: Desk) -> APIRouter:  # noqa: PLR0915  (each address is a function)
    """Return the addresses of open pictures."""
    router, studio = APIRouter(), desk.studio
    session_of, working = desk.session, desk.working

    @router.post("/v1/sessions", status_code=201, responses=ERRORS)
    def open_session(
        picture: Annotated[UploadFile, File(description="a picture file")],
    ) -> State:
        """Open a picture to work on."""
        with working():
            session = studio.add(picture.filename or "picture", picture.file.read())
            return state_of(desk, session)

    @router.get("/v1/sessions/{key}", responses=ERRORS)
    def get_session(key: str) -> State:
        """Return a session's state."""
        session = session_of(key)
        with working():
            return state_of(desk, session)

    @router.put("/v1/sessions/{key}", responses=ERRORS)
    def change_session(key: str, change: Change, response: Response) -> State:
        """Change hints, strength, warmth, palette, model, or what is kept."""
        session = session_of(key)
        began = time.perf_counter()
        wanted = Wanted(
            hints=hints_of(change.hints),
            strength=change.strength,
            warmth=change.warmth,
            reference=palette_from_json(change.reference, field="reference"),
            model=change.model,
            keep=change.keep,
            quality=change.quality,
        )
        with working():
            studio.change(session, wanted)
            views.view(studio, session)
            state = state_of(desk, session)
        response.headers["Server-Timing"] = f"color;dur={(time.perf_counter() - began) * 1000:.1f}"
        return state

    @router.delete("/v1/sessions/{key}", status_code=204, responses=ERRORS)
    def close_session(key: str) -> Response:
        """Forget a picture."""
        if not studio.drop(key):
            raise HTTPException(404, "There is no such picture any more.")
        return Response(status_code=204)

    pictures: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}}, **ERRORS}

    @router.get("/v1/sessions/{key}/preview", responses=pictures, response_class=Response)
    def preview(
        key: str,
        whole: Annotated[bool, Query(description="at full size")] = False,
        v: Annotated[int, Query(description="for caches only")] = 0,  # noqa: ARG001
    ) -> Response:
        """Return the colored picture as JPEG, at the size of a screen or whole."""
        session = session_of(key)
        with working():
            data = views.view(studio, session, whole=whole)
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private"})

    @router.get("/v1/sessions/{key}/gray", responses=pictures, response_class=Response)
    def gray(key: str) -> Response:
        """Return the picture without color, at the size of a screen."""
        session = session_of(key)
        with working():
            return Response(views.gray(session), media_type="image/jpeg")

    @router.get("/v1/sessions/{key}/doubt", responses=pictures, response_class=Response)
    def doubt(key: str) -> Response:
        """Return where the model is unsure, as PNG: white is most."""
        session = session_of(key)
        with working():
            return Response(views.doubt(studio, session), media_type="image/png")

    @router.get("/v1/sessions/{key}/suggest", responses=ERRORS)
    def suggest(
        key: str,
        x: Annotated[float | None, Query(ge=0, le=1)] = None,
        y: Annotated[float | None, Query(ge=0, le=1)] = None,
    ) -> dict[str, Any]:
        """Return likely colors: at a place, or the places where a hint would help most."""
        session = session_of(key)
        if (x is None) != (y is None):
            raise UsageError("Give both x and y, or neither.")
        with working():
            if x is not None and y is not None:
                return {"colors": views.likely(studio, session, x, y)}
            return {"regions": views.regions(studio, session)}

    @router.get("/v1/sessions/{key}/variants", responses=ERRORS)
    def variants(key: str) -> dict[str, Any]:
        """Return up to three coherent alternatives: hints, and a small picture of each."""
        session = session_of(key)
        with working():
            return {"variants": views.variants(studio, session)}

    @router.get("/v1/sessions/{key}/recipe", responses=ERRORS)
    def recipe(key: str) -> dict[str, Any]:
        """Return the color recipe: hints, model and settings, to be given to other pictures."""
        session = session_of(key)
        with working():
            return studio.recipe(session)

    @router.put("/v1/sessions/{key}/recipe", responses=ERRORS)
    def take_recipe(key: str, recipe: dict[str, Any]) -> State:
        """Color the picture by a recipe."""
        session = session_of(key)
        with working():
            studio.take_recipe(session, recipe)
            return state_of(desk, session)

    @router.put("/v1/sessions/{key}/reference", responses=ERRORS)
    def take_reference(
        key: str,
        picture: Annotated[UploadFile, File(description="a picture in color")],
    ) -> State:
        """Let the colors take the palette of another picture."""
        session = session_of(key)
        with working():
            name = picture.filename or "picture"
            studio.take_reference(session, name, picture.file.read())
            return state_of(desk, session)

    @router.delete("/v1/sessions/{key}/reference", responses=ERRORS)
    def drop_reference(key: str) -> State:
        """Let the colors be as the model proposes."""
        session = session_of(key)
        with working():
            studio.drop_reference(session)
            return state_of(desk, session)

    @router.get("/v1/sessions/{key}/export", responses=pictures, response_class=Response)
    def export(
        key: str,
        format: Annotated[str | None, Query(pattern=EXPORTS)] = None,  # noqa: A002
    ) -> Response:
        """Return the colored file at full size, with the picture's metadata; ``ora`` has layers."""
        session = session_of(key)
        with working():
            data, kind = exports.export(studio, session, format)
        desk.colored += 1
        return Response(data, media_type=MEDIA[kind], headers=saved_as(session.name, kind))

    return router
