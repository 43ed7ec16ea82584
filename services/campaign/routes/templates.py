"""Templates, once per channel."""

# No postponed annotations here: FastAPI reads the body types, which differ by channel, from the functions themselves.

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from contracts.channels import Channel
from contracts.content import LINK_VARIABLES, SAMPLE_VALUES, MissingVariable, count_segments, parse
from contracts.http.model import Model
from contracts.http.templates import TEMPLATE_CHANGES, TEMPLATE_WRITES, TemplatePreview
from contracts.links import with_sample_links
from services.campaign import store
from services.campaign.domain.images import Image
from services.campaign.domain.templates import NO_UNSUBSCRIBE, Checked, body_field, check_template, content_of
from services.campaign.handlers.lifecycle import template_changed
from services.campaign.images import Images
from services.campaign.routes.lists import LIMIT_MAX, SEARCH_MAX, next_cursor, read_sort
from services.campaign.routes.showing import refuse_nulls, show_findings, show_template
from services.campaign.store.lists import TEMPLATE_ORDERS, Wanted, find_listed
from services.campaign.tables import CAMPAIGNS, TEMPLATES
from shared.database import TenantDatabase, insert_once, raw
from shared.http import NAMED_MAX, CurrentUser, EffectId, Problem, name_some, page
from shared.outbox import put


def template_routes(channel: Channel, database: TenantDatabase, images: Images, link_base_url: str) -> APIRouter:
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

    async def seen(values: dict[str, Any]) -> dict[str, Any]:
        url = values.get("image_url")
        if url is None:
            return {"image": None} if "image" in table.c else {}
        return {"image": asdict(await _look_at(images, url))}

    @router.post("", status_code=201)
    async def create_template(body: write, user_id: CurrentUser, made_id: EffectId) -> dict[str, Any]:  # type: ignore[valid-type]
        given = Model.given(body)
        values = given | derived(given) | await seen(given) | {"id": made_id, "user_id": user_id}
        async with database.begin() as connection:
            row, is_new = await insert_once(connection, table, values)
            if is_new:
                await put(await raw(connection), [template_changed(channel, row)])
        return {"data": show_template(channel, row, link_base_url)}

    @router.get("")
    async def list_templates(
        user_id: CurrentUser,
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
        cursor: str | None = None,
        search: Annotated[str | None, Query(max_length=SEARCH_MAX)] = None,
        sort: str = "-createdAt",
    ) -> dict[str, Any]:
        place = read_sort(TEMPLATE_ORDERS[channel.name], sort, cursor)
        async with database.begin() as connection:
            rows = await find_listed(connection, table, user_id, Wanted(search), place, limit + 1)
        return page([show_template(channel, row, link_base_url) for row in rows[:limit]], next_cursor(rows, limit))

    @router.get("/{template_id}")
    async def read_template(template_id: UUID, user_id: CurrentUser) -> dict[str, Any]:
        async with database.begin() as connection:
            row = await store.find_row(connection, table, user_id, template_id)
        if row is None:
            raise Problem(404, "No such template")
        return {"data": show_template(channel, row, link_base_url)}

    @router.patch("/{template_id}")
    async def change_template(template_id: UUID, body: change, user_id: CurrentUser) -> dict[str, Any]:  # type: ignore[valid-type]
        given = Model.given(body)
        refuse_nulls(given, ("template_name", body_field(channel), "title"))
        look = await seen(given) if "image_url" in given else {}
        async with database.begin() as connection:
            old = await store.find_row(connection, table, user_id, template_id, lock=True)
            if old is None:
                raise Problem(404, "No such template")
            row = await store.update_row(connection, table, template_id, given | look | derived(dict(old) | given))
            await put(await raw(connection), [template_changed(channel, row)])
        return {"data": show_template(channel, row, link_base_url)}

    @router.delete("/{template_id}", status_code=204)
    async def remove_template(template_id: UUID, user_id: CurrentUser) -> Response:
        async with database.begin() as connection:
            row = await store.find_row(connection, table, user_id, template_id, lock=True)
            if row is None:
                raise Problem(404, "No such template")
            using = await store.find_unlaunched(
                connection, CAMPAIGNS[channel.name], user_id, template_id, NAMED_MAX + 1
            )
            if using:
                detail = f"campaigns will be sent with it: {name_some(using)}; give them another, or delete them"
                raise Problem(409, "Not possible", detail)
            await store.delete_row(connection, table, template_id)
            await put(await raw(connection), [template_changed(channel, row, deleted=True)])
        return Response(status_code=204)

    @router.post("/{template_id}/preview")
    async def preview_template(template_id: UUID, body: TemplatePreview, user_id: CurrentUser) -> dict[str, Any]:
        async with database.begin() as connection:
            row = await store.find_row(connection, table, user_id, template_id)
        if row is None:
            raise Problem(404, "No such template")
        values = SAMPLE_VALUES | (body.variables or {})
        sent = with_sample_links(content_of(channel, row), link_base_url)
        texts = {"title": sent.title, "image_url": sent.image_url, "action_url": sent.action_url}
        rendered: dict[str, Any] = {}
        for name, source in ({body_field(channel): sent.body} | texts).items():
            if source is not None:
                try:
                    rendered[name] = parse(source).render(values)
                except MissingVariable as missing:
                    errors = [{"field": f"variables.{missing.name}", "message": "has no value and no fallback"}]
                    raise Problem(422, "Invalid input", errors=errors) from None
        text = rendered[body_field(channel)]
        image = await _look_at(images, rendered["image_url"]) if "image_url" in rendered else None
        warnings = check_template(channel, rendered, link_base_url, image).warnings
        if LINK_VARIABLES.intersection(row["variables"]):
            warnings = [one for one in warnings if one.code != NO_UNSUBSCRIBE]
        data: dict[str, Any] = {
            "text": text,
            "title": rendered.get("title"),
            "imageUrl": rendered.get("image_url"),
            "actionUrl": rendered.get("action_url"),
            "characters": len(text),
            "warnings": show_findings(warnings),
        }
        if channel.billed_by_segment:
            segments = count_segments(text)
            data |= {"segments": segments.count, "encoding": segments.encoding}
        return {"data": data}

    return router


async def _look_at(images: Images, url: str) -> Image:
    return Image(trouble="its address depends on the recipient") if "{{" in url else await images.look_at(url)


def _require(checked: Checked) -> None:
    if checked.problems:
        errors = [{"field": name, "message": message} for name, message in checked.problems]
        raise Problem(422, "Invalid input", errors=errors)
