"""Recipients by every filter, page by page: each once, in order, whatever else goes on."""

from __future__ import annotations

import json
from itertools import product
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest

from contracts.http.described.words import NotificationStatus, Outcome
from services.dispatcher.routes.ledger import ledger_routes
from services.dispatcher.store import recipients
from services.dispatcher.store.outcomes import Recorded
from services.dispatcher.store.recipients import Wanted, find_recipients
from shared.exports import Exports
from shared.http import internal_app
from tests.asking import Client
from tests.dispatcher.conftest import Scene

STATUSES, OUTCOMES = get_args(NotificationStatus.__value__), get_args(Outcome.__value__)

LOTS, SIZE = 7, 6


async def read(scene: Scene, wanted: Wanted, rows_max: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after: UUID | None = None
    while True:
        async with scene.database.pool.connection() as connection:
            found = await find_recipients(connection, scene.channel, scene.user_id, wanted, after, rows_max)
        assert len(found.rows) <= rows_max
        rows += found.rows
        if found.after is None:
            return rows
        assert after is None or found.after > after
        after = found.after


async def send(scene: Scene) -> None:
    """A campaign with recipients in every state, and another one of which the lots lie between."""
    other = Scene(scene.database, scene.channel, user_id=scene.user_id)
    for number in range(LOTS):
        await scene.arrive(scene.lot(SIZE, start=number * SIZE))
        await other.arrive(other.lot(SIZE, start=number * SIZE))
    await scene.launch()
    await scene.opt_out(f"+4917{20:08d}")
    for _ in range(LOTS - 1):
        lot = await scene.lease()
        assert lot is not None
        claimed = await scene.claim(lot)
        outcomes = ["accepted", "accepted", "accepted", "accepted", "refused", "unknown"]
        ids = [one.id for one in claimed.claimed]
        await scene.record(
            lot,
            claimed,
            *(
                Recorded(one, 1, outcome, error_class="bad_address" if outcome == "refused" else None)
                for one, outcome in zip(ids, outcomes, strict=False)
            ),
        )
        await scene.receive((ids[0], "delivered"), (ids[1], "bounced"), (ids[2], "failed"))


@pytest.mark.parametrize("rows_max", [1, 4, 1000])
@pytest.mark.parametrize(("bound", "most"), [("LOTS_MAX", 3), ("LOOKED_AT_MAX", 3 * SIZE), ("LOTS_MAX", 1000)])
async def test_each_filter_finds_what_is_there(scene, monkeypatch, rows_max, bound, most):
    monkeypatch.setattr(recipients, bound, most)
    await send(scene)
    everybody = await read(scene, Wanted(scene.campaign_id), rows_max)
    assert len(everybody) == LOTS * SIZE
    assert [row["id"] for row in everybody] == sorted(row["id"] for row in everybody)
    assert {row["status"] for row in everybody} == set(STATUSES)
    for status, outcome in product((None, *STATUSES), (None, *OUTCOMES)):
        expected = [
            row["id"] for row in everybody if status in (None, row["status"]) and outcome in (None, row["outcome"])
        ]
        found = await read(scene, Wanted(scene.campaign_id, status, outcome), rows_max)
        assert [row["id"] for row in found] == expected, (status, outcome)
    refused = await read(scene, Wanted(scene.campaign_id, error_class="bad_address"), rows_max)
    assert {row["error_class"] for row in refused} == {"bad_address"}
    of_tenant = await read(scene, Wanted(status="queued"), rows_max)
    assert len(of_tenant) == SIZE + LOTS * SIZE


async def test_a_page_is_full_where_the_bounds_allow_it(scene):
    await send(scene)
    async with scene.database.pool.connection() as connection:
        found = await find_recipients(
            connection, scene.channel, scene.user_id, Wanted(scene.campaign_id, "bounced"), None, LOTS - 2
        )
        rest = await find_recipients(
            connection, scene.channel, scene.user_id, Wanted(scene.campaign_id, "bounced"), found.after, LOTS
        )
    assert (len(found.rows), len(rest.rows), rest.after) == (LOTS - 2, 1, None)


async def test_an_address_is_found_in_one_campaign_and_in_all(scene):
    await send(scene)
    address = f"+4917{8:08d}"
    assert len(await read(scene, Wanted(scene.campaign_id, address=address), 1)) == 1
    assert len(await read(scene, Wanted(address=address), 1)) == 2
    assert await read(scene, Wanted(scene.campaign_id, status="opted_out", address=address), 1) == []


async def test_another_tenant_finds_nothing(scene):
    await send(scene)
    stranger = Scene(scene.database, scene.channel)
    for wanted in (Wanted(), Wanted(scene.campaign_id), Wanted(address=f"+4917{8:08d}"), Wanted(uuid4())):
        assert await read(stranger, wanted, 10) == []


async def test_a_campaigns_recipients_are_a_file_that_says_when_it_is_whole(scene):
    await send(scene)
    app = internal_app("dispatcher")
    app.include_router(ledger_routes(scene.channel, scene.database, Exports(scene.database)))
    client = Client(app, f"/api/notification/{scene.channel.name}/campaigns", {"X-User-Id": scene.user_id})
    for file_format, last in (
        ("csv", f"# complete: {LOTS * SIZE} rows"),
        ("jsonl", f'{{"complete":true,"rows":{LOTS * SIZE}}}'),
    ):
        text = (await client.get(f"/{scene.campaign_id}/recipients/export?format={file_format}")).text
        assert text.splitlines()[-1] == last
    rows = [json.loads(line) for line in text.splitlines()[:-1]]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert {row["status"] for row in rows} == set(STATUSES)
    assert rows[0][scene.channel.address_field] == f"+4917{0:08d}"
    stranger = (await client.get(f"/{scene.campaign_id}/recipients/export", headers={"X-User-Id": "x"})).text
    assert stranger.splitlines()[-1] == "# complete: 0 rows"
    for query in ("status=nonsense", "outcome=lost", "cursor=x", "limit=0"):
        assert (await client.get(f"/{scene.campaign_id}/recipients?{query}")).status_code == 422
