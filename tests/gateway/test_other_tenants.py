"""A matrix of every operation with another tenant's ids: nobody can tell them from ids that do not exist.

The operations, their bodies and their ids come from the gateway's own description, so a new one is covered when it is
described. Ada owns one of everything; Bob asks for it, and Carol, who has as little as Bob, for what nobody has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from contracts.http.described import examples
from contracts.http.endpoints import BASE
from deploy import openapi
from tests.dead_letters import put_aside
from tests.gateway.conftest import WAIT_SECONDS, Client
from tests.waiting import until

DOCUMENT = json.loads(openapi.PATH.read_text())
NOBODYS = "C-nobody"
SILENT = "http://127.0.0.1:9"
"""Where no provider answers, so that a launched campaign stays as it is."""

MAKES = frozenset({"PUT /preferences/{id}"})
"""What answers for an id that was not there, by making it one's own."""

OTHERS_ANSWER = frozenset({"POST /approvals/{id}/approve", "POST /approvals/{id}/reject"})
"""What a key may never do, whatever the id."""

KINDS = {
    "templateId": "/sms/templates",
    "providerId": "/sms/providers",
    "campaignId": "/sms/campaigns",
    "recipientId": "/sms/campaigns/{id}/recipients",
    "customerId": "/customers",
}
"""What the ids in queries and bodies stand for; of the channel of the path, where it has one."""

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


@dataclass(frozen=True)
class Operation:
    """One operation with a place for ids: `{}` in the path or query, or the name of a field of the body."""

    method: str
    path: str
    query: str = ""
    body: Any = None
    content_type: str = "application/json"
    field: str | None = None

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"

    def __str__(self) -> str:
        return " ".join(filter(None, (self.key, self.query, self.field)))


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a reference leads to."""
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def fields_of(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The fields of a body that hold ids, such as `messages.0.templateId`."""
    for name, one in resolved(schema).get("properties", {}).items():
        if name in KINDS:
            yield path + name
        elif "items" in one:
            yield from fields_of(one["items"], f"{path}{name}.0.")


def operations() -> Iterator[Operation]:
    for path, described in DOCUMENT["paths"].items():
        for method, one in described.items():
            content = one.get("requestBody", {}).get("content", {})
            kind = next(iter(content), "application/json")
            body = content[kind].get("example") if content else None
            operation = Operation(method.upper(), path.removeprefix(BASE), "", body, kind)
            needed = [p["name"] for p in one["parameters"] if p["in"] == "query" and p.get("required")]
            if "{" in path:
                yield replace(operation, query="&".join(f"{name}={{{name}}}" for name in needed))
                continue
            for parameter in one["parameters"]:
                if parameter["in"] == "query" and parameter["name"] in KINDS:
                    yield replace(operation, query=f"{parameter['name']}={{{parameter['name']}}}")
            for field in fields_of(content[kind]["schema"]) if content else ():
                yield replace(operation, field=field)


OPERATIONS = list(operations())


def with_value(body: Any, field: str, value: str) -> Any:
    """The body with the value in a field."""
    name, _, rest = field.partition(".")
    if isinstance(body, list):
        return [with_value(one, rest, value) if str(n) == name else one for n, one in enumerate(body)]
    return {**body, name: with_value(body[name], rest, value) if rest else value}


Ids = Mapping[str, str]
"""Ids by the collection that they are in."""


def collection_of(path: str, parameter: str) -> str:
    return path.partition(f"/{{{parameter}}}")[0]


def kind_of(path: str, name: str) -> str:
    kind = KINDS[name]
    return kind.replace("/sms/", "/push/") if path.startswith("/push/") else kind


async def ask(client: Client, operation: Operation, ids: Ids) -> tuple[int, str]:
    """(status, body) with everything taken out that differs from one request or tenant to the next."""
    path, query, body = operation.path, operation.query, operation.body
    used = [client.user_id]
    for name in re.findall(r"{(\w+)}", path):
        used.append(ids[collection_of(operation.path, name)])
        path = path.replace(f"{{{name}}}", used[-1])
    for name in re.findall(r"{(\w+)}", query):
        used.append(ids[kind_of(path, name)])
        query = query.replace(f"{{{name}}}", used[-1])
    if operation.field is not None:
        used.append(ids[kind_of(path, operation.field.rpartition(".")[2])])
        body = with_value(body, operation.field, used[-1])
    raw = None if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    target = client.url + BASE + path + (f"?{query}" if query else "")
    headers = {"Authorization": f"Bearer {client.key}", "Content-Type": operation.content_type}
    async with client.http.request(operation.method, target, data=raw, headers=headers) as answer:
        text = await answer.text()
    for value in used:
        text = text.replace(value, "<id>")
    return answer.status, TIME.sub("<time>", UUID.sub("<uuid>", text))


async def made(client: Client, method: str, path: str, body: Any, id_field: str = "id") -> str:
    status, answer = await client(method, path, body)
    assert status < 300, (path, answer)
    return str(answer["data"].get(id_field))


PROVIDERS = {
    "sms": examples.PROVIDERS["sms"] | {"config": {"baseUrl": SILENT}},
    "push": examples.PROVIDERS["push"] | {"config": examples.PROVIDERS["push"]["config"] | {"baseUrl": SILENT}},
}


async def own_everything(client: Client, kafka: str) -> Ids:
    """Makes one of everything."""
    ids = {"/customers": "C-1001", "/preferences": "C-1001"}
    ids["/dead-letters"] = await put_aside(kafka, client.user_id, f"{{ {client.user_id}".encode())
    await made(client, "POST", "/customers", examples.CUSTOMERS)
    await made(client, "POST", "/customers/C-1001/devices", examples.DEVICE)
    status, answer = await client(
        "POST", "/customers/import", raw=examples.CUSTOMER_FILE.encode(), Content_Type="text/csv"
    )
    assert status == 200, answer
    ids["/customers/imports"] = answer["data"]["importId"]
    for channel in ("sms", "push"):
        at = f"/{channel}/campaigns"
        provider = await made(client, "POST", f"/{channel}/providers", PROVIDERS[channel])
        template = await made(client, "POST", f"/{channel}/templates", examples.TEMPLATES[channel])
        campaign = {"campaignName": "Ada's", "templateId": template, "providerId": provider}
        campaign_id = await made(client, "POST", at, campaign)
        await made(client, "POST", f"{at}/{campaign_id}/recipients", examples.RECIPIENTS[channel])
        await made(client, "POST", f"{at}/{campaign_id}/send", None)
        recipient = await launched_recipient(client, f"{at}/{campaign_id}/recipients")
        ids |= {f"/{channel}/providers": provider, f"/{channel}/templates": template, at: campaign_id}
        ids[f"{at}/{{id}}/recipients"] = recipient
    ids["/approvals"] = await waiting_approval(client, ids)
    for path in {collection_of(one.path, name) for one in OPERATIONS for name in re.findall(r"{(\w+)}", one.path)}:
        if path not in ids:
            ids[path] = await made_by_example(client, path)
    return ids


async def waiting_approval(client: Client, ids: Ids) -> str:
    """The id of what a second person has to agree to."""
    at = "/sms/campaigns"
    campaign = {"campaignName": "Big", "templateId": ids["/sms/templates"], "providerId": ids["/sms/providers"]}
    campaign_id = await made(client, "POST", at, campaign)
    await made(client, "POST", f"{at}/{campaign_id}/recipients", examples.RECIPIENTS["sms"])
    await made(client, "PATCH", "/settings", {"approvalAbove": 0})
    status, answer = await client("POST", f"{at}/{campaign_id}/send")
    assert status == 202, answer
    return str(answer["data"]["approval"]["id"])


async def launched_recipient(client: Client, path: str) -> str:
    """The id of the first recipient in the ledger."""
    found: list[str] = []

    async def is_there() -> bool:
        _, answer = await client("GET", path)
        found[:] = [one["id"] for one in answer["data"] if one.get("userId")]
        return bool(found)

    await until(is_there, WAIT_SECONDS)
    return found[0]


async def made_by_example(client: Client, path: str) -> str:
    """What the collection's own example makes; a random id where nothing can be made by a key."""
    described = DOCUMENT["paths"].get(BASE + path, {}).get("post")
    if described is None:
        return str(uuid4())
    body = described["requestBody"]["content"]["application/json"]["example"]
    return await made(client, "POST", path, body | ({"email": f"{uuid4().hex}@example.com"} if "email" in body else {}))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def adas() -> dict[str, Any]:
    """Ada and what is hers, made once."""
    return {}


@pytest_asyncio.fixture(loop_scope="session")
async def owned(adas, fleet, make) -> Ids:
    if not adas:
        client = await make("admin")
        adas |= {"ids": await own_everything(client, fleet.kafka), "user_id": client.user_id}
    return adas["ids"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_another_tenants_id_is_like_none(fleet, make, owned, operation):
    nobodys = {path: NOBODYS if path in ("/customers", "/preferences") else str(uuid4()) for path in owned}
    bob, carol = await make("admin"), await make("admin")
    status, text = await ask(bob, operation, owned)
    assert (status, text) == await ask(carol, operation, nobodys)
    if "{" in operation.path and operation.key not in MAKES | OTHERS_ANSWER:
        assert status == 404, text


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.method == "GET" and "{" in one.path], ids=str)
async def test_the_ids_are_real(fleet, make, adas, owned, operation):
    if owned.keys() >= {collection_of(operation.path, name) for name in re.findall(r"{(\w+)}", operation.path)}:
        status, text = await ask(await make("admin", user_id=adas["user_id"]), operation, owned)
        assert status == 200, text


def test_every_kind_of_place_is_in_the_matrix():
    assert len(OPERATIONS) > 60
    assert {"campaignId={campaignId}", "customerId={customerId}"} <= {one.query for one in OPERATIONS}
    assert {"templateId", "messages.0.templateId", "messages.0.customerId"} <= {one.field for one in OPERATIONS}
