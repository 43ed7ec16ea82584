"""Templates, once per channel."""

# No postponed annotations here: FastAPI reads the body types, which differ by channel, from the functions themselves.

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from contracts.channels import Channel
from contracts.content import MissingVariable, count_segments
from contracts.http.model import Model
from contracts.http.templates import TEMPLATE_CHANGES, TEMPLATE_WRITES, TemplatePreview
from services.campaign import store
from services.campaign.domain import SAMPLE, Checked, body_field, check_template, sent
from services.campaign.handlers import template_changed
from services.campaign.routes.showing import show_template
from services.campaign.tables import TEMPLATES
from shared.database import TenantDatabase, raw
from shared.http import CurrentUser, Problem, cursor_of, page, read_cursor
from shared.ids import new_id
from shared.outbox import put

LIMIT_MAX = 1000


def template_routes(channel: Channel, database: TenantDatabase, link_base_url: str) -> APIRouter:
    """Create, read, change, delete and preview."""
    router = APIRouter(prefix=f"/api/notification/{channel.name}/templates")
    table = TEMPLATES[channel.name]
    write: type[Model] = TEMPLATE_WRITES[channel.name]
    change: type[Model] = TEMPLATE_CHANGES[channel.name]

    def derived(values: dict[str, Any]) -> dict[str, Any]:
        checked = check_template(channel, values, link_base_url)
        _require(checked)
        counted = {"character_count": checked.characters} if "character_count" in table.c else {}
        return counted | {"variables": list(checked.variables)}

    @router.post("", status_code=201)
    async def create_template(body: write, user_id: CurrentUser) -> dict[str, Any]:  # type: ignore[valid-type]
        given = Model.given(body)
        values = given | derived(given) | {"id": new_id(), "user_id": user_id}
        async with database.begin() as connection:
            row = await store.insert_row(connection, table, values)
            await put(await raw(connection), [template_changed(channel, row)])
        return {"data": show_template(channel, row, link_base_url)}

    @router.get("")
    async def list_templates(
        user_id: CurrentUser, limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100, cursor: str | None = None
    ) -> dict[str, Any]:
        async with database.begin() as connection:
            rows = await store.find_rows(connection, table, user_id, read_cursor(cursor), limit + 1)
        shown = [show_template(channel, row, link_base_url) for row in rows[:limit]]
        return page(shown, cursor_of(rows[limit - 1]["id"]) if len(rows) > limit else None)

    @router.get("/{template_id}")
    async def read_template(template_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        async with database.begin() as connection:
            row = await store.find_row(connection, table, user_id, template_id)
        if row is None:
            raise Problem(404, "No such template")
        return {"data": show_template(channel, row, link_base_url)}

    @router.patch("/{template_id}")
    async def change_template(template_id: UUID, body: change, user_id: CurrentUser) -> dict[str, Any]:  # type: ignore[valid-type]
        async with database.begin() as connection:
            old = await store.find_row(connection, table, user_id, template_id, lock=True)
            if old is None:
                raise Problem(404, "No such template")
            given = Model.given(body)
            row = await store.update_row(connection, table, template_id, given | derived(dict(old) | given))
            await put(await raw(connection), [template_changed(channel, row)])
        return {"data": show_template(channel, row, link_base_url)}

    @router.delete("/{template_id}", status_code=204)
    async def remove_template(template_id: UUID, user_id: CurrentUser) -> Response:
        async with database.begin() as connection:
            row = await store.find_row(connection, table, user_id, template_id, lock=True)
            if row is None:
                raise Problem(404, "No such template")
            await store.delete_row(connection, table, template_id)
            await put(await raw(connection), [template_changed(channel, row, deleted=True)])
        return Response(status_code=204)

    @router.post("/{template_id}/preview")
    async def preview_template(template_id: UUID, body: TemplatePreview, user_id: CurrentUser) -> dict[str, Any]:
        async with database.begin() as connection:
            row = await store.find_row(connection, table, user_id, template_id)
        if row is None:
            raise Problem(404, "No such template")
        templates, links = sent(channel, row, link_base_url)
        values = SAMPLE | (body.variables or {}) | links
        rendered: dict[str, Any] = {}
        for name, template in templates.items():
            try:
                rendered[name] = template.render(values)
            except MissingVariable as missing:
                errors = [{"field": f"variables.{missing.name}", "message": "has no value and no fallback"}]
                raise Problem(422, "Invalid input", errors=errors) from None
        text = rendered[body_field(channel)]
        data: dict[str, Any] = {
            "text": text,
            "title": rendered.get("title"),
            "imageUrl": rendered.get("image_url"),
            "actionUrl": rendered.get("action_url"),
            "characters": len(text),
        }
        if channel.billed_by_segment:
            segments = count_segments(text)
            data |= {"segments": segments.count, "encoding": segments.encoding}
        return {"data": data}

    return router


def _require(checked: Checked) -> None:
    if checked.problems:
        errors = [{"field": name, "message": message} for name, message in checked.problems]
        raise Problem(422, "Invalid input", errors=errors)
