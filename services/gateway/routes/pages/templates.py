"""Templates of one channel: the list, and writing one while seeing it as real people would."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from contracts.channels import Channel
from contracts.http.templates import TEMPLATE_WRITES
from services.gateway.routes.pages.api import path_of
from services.gateway.routes.pages.desks import REFUSED, AtDesk, Desk, Form, Sent, field_errors
from services.gateway.routes.pages.previews import SAMPLE_LIMIT, preview_of, text_field
from services.gateway.routes.pages.words import CHANNEL_WORDS, SAMPLES
from shared.http import Problem

LIST_LIMIT = 50


def template_pages(channel: Channel) -> APIRouter:
    """The pages under `/{channel}/templates`."""
    router = APIRouter(prefix=f"/notification/{channel.name}/templates")
    words = CHANNEL_WORDS[channel.name]
    at = path_of(channel.name, "templates")
    fields = tuple(str(field.alias) for field in TEMPLATE_WRITES[channel.name].model_fields.values())

    async def form_page(
        desk: Desk, values: dict[str, Any], problem: Problem | None = None, template: dict[str, Any] | None = None
    ) -> Response:
        errors = {} if problem is None else field_errors(problem)
        status = 200 if problem is None else problem.status
        shown = await previewed(desk, values)
        return desk.show(
            "templates/form.html",
            status,
            words=words,
            channel=channel,
            text_field=text_field(channel),
            values=values,
            errors=errors,
            template=template,
            **shown,
        )

    async def previewed(desk: Desk, values: dict[str, Any]) -> dict[str, Any]:
        customers = (await desk.get("/customers", limit=SAMPLE_LIMIT)).data
        texts = {name: value or "" for name, value in values.items()}
        preview = preview_of(channel, texts, customers, desk.pages.entrance.settings.link_base_url)
        wanted = values.get("sample") or "next"
        return {"preview": preview, "samples": SAMPLES, "sample": wanted if wanted in preview.people else "next"}

    @router.get("")
    async def list_templates(desk: AtDesk, search: str = "", cursor: str = "") -> Response:
        query = {"search": search}
        found = await desk.get(at, **query, cursor=cursor, limit=LIST_LIMIT)
        return desk.show(
            "templates/list.html",
            words=words,
            templates=found.data,
            text_field=text_field(channel),
            query=query,
            cursor=cursor,
            next_cursor=found.body["nextCursor"],
        )

    @router.get("/new")
    async def begin(desk: AtDesk) -> Response:
        desk.require("write")
        return await form_page(desk, {})

    @router.post("/part")
    async def show_part(desk: AtDesk, sent: Sent) -> Response:
        shown = await previewed(desk, sent.values)
        html = desk.render("templates/preview.html", words=words, channel=channel, **shown)
        return Response(html, media_type="text/html")

    @router.post("")
    async def create(desk: AtDesk, sent: Sent) -> Response:
        if sent["intent"] == "preview":
            return await form_page(desk, sent.values)
        try:
            made = (await desk.do("POST", at, sent.filled(*fields))).data
        except Problem as problem:
            if problem.status not in REFUSED:
                raise
            return await form_page(desk, sent.values, problem)
        return desk.go(f"/notification{at}/{made['id']}", "The template is saved.")

    @router.get("/{template_id}")
    async def edit(desk: AtDesk, template_id: UUID) -> Response:
        template = (await desk.get(f"{at}/{template_id}")).data
        return await form_page(desk, template, template=template)

    @router.post("/{template_id}")
    async def change(desk: AtDesk, sent: Sent, template_id: UUID) -> Response:
        template = (await desk.get(f"{at}/{template_id}")).data
        if sent["intent"] == "preview":
            return await form_page(desk, sent.values, template=template)
        try:
            await desk.do("PATCH", f"{at}/{template_id}", changed(sent))
        except Problem as problem:
            if problem.status not in REFUSED:
                raise
            return await form_page(desk, sent.values, problem, template)
        return desk.go(f"/notification{at}/{template_id}", "The template is saved. Campaigns sent later use it.")

    def changed(sent: Form) -> dict[str, Any]:
        return {name: sent[name] or None for name in fields if name in sent.values}

    async def before_deleting(desk: Desk, template_id: UUID, problem: Problem | None = None) -> Response:
        template = (await desk.get(f"{at}/{template_id}")).data
        status = 200 if problem is None else problem.status
        return desk.show("templates/delete.html", status, words=words, template=template, problem=problem)

    @router.get("/{template_id}/delete")
    async def ask_before(desk: AtDesk, template_id: UUID) -> Response:
        return await before_deleting(desk, template_id)

    @router.post("/{template_id}/delete")
    async def delete(desk: AtDesk, template_id: UUID) -> Response:
        try:
            await desk.do("DELETE", f"{at}/{template_id}")
        except Problem as problem:
            if problem.status != 409:
                raise
            return await before_deleting(desk, template_id, problem)
        return desk.go(f"/notification{at}", "The template is deleted.")

    return router
