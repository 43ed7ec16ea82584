"""Templates of one channel: the list, and writing one while seeing it as real people would."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from contracts.channels import Channel
from contracts.http.templates import TEMPLATE_WRITES
from services.gateway.routes.pages.api import path_of
from services.gateway.routes.pages.previews import SAMPLE_LIMIT, preview_of, text_field
from services.gateway.routes.pages.visits import Form, Sent, Visit, Visitor, field_errors
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
        visit: Visit, values: dict[str, Any], problem: Problem | None = None, template: dict[str, Any] | None = None
    ) -> Response:
        errors = {} if problem is None else field_errors(problem)
        status = 200 if problem is None else problem.status
        shown = await previewed(visit, values)
        return visit.show(
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

    async def previewed(visit: Visit, values: dict[str, Any]) -> dict[str, Any]:
        customers = (await visit.get("/customers", limit=SAMPLE_LIMIT)).data
        preview = preview_of(channel, {name: value or "" for name, value in values.items()}, customers)
        wanted = values.get("sample") or "next"
        return {"preview": preview, "samples": SAMPLES, "sample": wanted if wanted in preview.people else "next"}

    @router.get("")
    async def list_templates(visit: Visitor, search: str = "", cursor: str = "") -> Response:
        query = {"search": search}
        found = await visit.get(at, **query, cursor=cursor, limit=LIST_LIMIT)
        return visit.show(
            "templates/list.html",
            words=words,
            templates=found.data,
            text_field=text_field(channel),
            query=query,
            cursor=cursor,
            next_cursor=found.body["nextCursor"],
        )

    @router.get("/new")
    async def begin(visit: Visitor) -> Response:
        return await form_page(visit, {})

    @router.post("/part")
    async def show_part(visit: Visitor, sent: Sent) -> Response:
        shown = await previewed(visit, sent.values)
        html = visit.render("templates/preview.html", words=words, channel=channel, **shown)
        return Response(html, media_type="text/html")

    @router.post("")
    async def create(visit: Visitor, sent: Sent) -> Response:
        if sent["intent"] == "preview":
            return await form_page(visit, sent.values)
        try:
            made = (await visit.do("POST", at, sent.filled(*fields))).data
        except Problem as problem:
            if problem.status != 422:
                raise
            return await form_page(visit, sent.values, problem)
        return visit.go(f"/notification{at}/{made['id']}", "The template is saved.")

    @router.get("/{template_id}")
    async def edit(visit: Visitor, template_id: UUID) -> Response:
        template = (await visit.get(f"{at}/{template_id}")).data
        return await form_page(visit, template, template=template)

    @router.post("/{template_id}")
    async def change(visit: Visitor, sent: Sent, template_id: UUID) -> Response:
        template = (await visit.get(f"{at}/{template_id}")).data
        if sent["intent"] == "preview":
            return await form_page(visit, sent.values, template=template)
        try:
            await visit.do("PATCH", f"{at}/{template_id}", changed(sent))
        except Problem as problem:
            if problem.status not in (409, 422):
                raise
            return await form_page(visit, sent.values, problem, template)
        return visit.go(f"/notification{at}/{template_id}", "The template is saved. Campaigns sent later use it.")

    def changed(sent: Form) -> dict[str, Any]:
        return {name: sent[name] or None for name in fields if name in sent.values}

    @router.get("/{template_id}/delete")
    async def ask_before(visit: Visitor, template_id: UUID) -> Response:
        template = (await visit.get(f"{at}/{template_id}")).data
        return visit.show("templates/delete.html", words=words, template=template, problem=None)

    @router.post("/{template_id}/delete")
    async def delete(visit: Visitor, sent: Sent, template_id: UUID) -> Response:
        template = (await visit.get(f"{at}/{template_id}")).data
        try:
            await visit.do("DELETE", f"{at}/{template_id}")
        except Problem as problem:
            if problem.status != 409:
                raise
            return visit.show("templates/delete.html", 409, words=words, template=template, problem=problem)
        return visit.go(f"/notification{at}", "The template is deleted.")

    return router
