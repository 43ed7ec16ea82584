"""People of a tenant: invited, signed in, changed, signed out, and what a stranger's page cannot do for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from secrets import randbits
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from fastapi import FastAPI
from yarl import URL

from contracts.http.access import ROLES, UserWrite
from contracts.http.endpoints import BASE, ENDPOINTS
from services.gateway.domain.access import ROLE_SCOPES
from services.gateway.handlers.keys import Keys
from services.gateway.handlers.limits import Limits
from services.gateway.handlers.people import create_person
from services.gateway.handlers.sessions import begin_session
from services.gateway.handlers.tenants import Tenants
from services.gateway.routes.entrance import Entrance
from services.gateway.routes.sessions import session_routes
from shared.database import open_database
from shared.http import answer_problems
from shared.ids import new_id
from tests.asking import Client
from tests.gateway.browsing import PASSWORD, browser, operator, person_of, signed_in
from tests.gateway.conftest import settings_of
from tests.gateway.test_wrong import OPERATIONS, with_ids

NEW_PASSWORD = "another horse, another staple"
TEMPLATE = {"templateName": "Sale", "content": "Hi, 20% off. Reply STOP to unsubscribe"}


@pytest_asyncio.fixture(loop_scope="session")
async def boss(fleet):
    async with operator(fleet) as found:
        yield found


def fields(problem: dict[str, Any]) -> set[str]:
    return {error["field"] for error in problem["errors"]}


# --- roles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
async def test_a_person_does_only_what_the_role_allows(fleet, boss, role):
    async with signed_in(fleet, boss, role) as someone:
        for endpoint in ENDPOINTS:
            path = endpoint.path.replace("{id}", str(uuid4())).replace("{recipientId}", str(uuid4()))
            status, answer = await someone(endpoint.method, path)
            refused = status == 403 and answer["detail"] == f"your role has no scope {endpoint.scope}"
            assert refused != (endpoint.scope in ROLE_SCOPES[role]), (endpoint, answer)


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_does_nothing_that_is_described_for_others(fleet, boss, role):
    async with signed_in(fleet, boss, role) as someone:
        for method, path, one in OPERATIONS:
            if "x-scope" in one and one["x-scope"] not in ROLE_SCOPES[role]:
                content = one.get("requestBody", {}).get("content", {})
                body = content.get("application/json", {}).get("example")
                status, answer = await someone(method, with_ids(path, str(uuid4())), body)
                assert (status, answer.get("detail")) == (403, f"your role has no scope {one['x-scope']}"), (
                    method,
                    path,
                )


async def test_a_new_role_holds_from_the_next_request_on(fleet, boss):
    person = await person_of(boss, "marketer")
    async with browser(fleet) as someone:
        await someone.sign_in(person["email"])
        assert (await someone("POST", "/sms/templates", TEMPLATE))[0] == 201
        await boss("PATCH", f"/users/{person['id']}", {"role": "viewer"})
        assert (await someone("POST", "/sms/templates", TEMPLATE))[0] == 403
        await boss("PATCH", f"/users/{person['id']}", {"isActive": False})
        assert (await someone("GET", "/session"))[0] == 401
        assert (await someone.sign_in(person["email"]))[0] == 401


async def test_only_admins_manage_people_and_only_their_own(fleet, boss):
    person = await person_of(boss, "viewer")
    async with signed_in(fleet, boss, "approver") as someone:
        assert (await someone("GET", "/users"))[0] == 403
        assert (await someone("POST", "/users", {"email": "a@b.example", "name": "A", "role": "admin"}))[0] == 403
    async with operator(fleet) as stranger:
        for method, body in (("GET", None), ("PATCH", {"role": "admin"}), ("DELETE", None)):
            assert (await stranger(method, f"/users/{person['id']}", body))[0] == 404
        assert (await stranger("GET", "/users"))[1]["data"] == []


async def test_the_last_admin_stays(fleet, boss):
    first, second = await person_of(boss, "admin"), await person_of(boss, "admin")
    assert (await boss("PATCH", f"/users/{first['id']}", {"role": "viewer"}))[0] == 200
    for method, body in (("PATCH", {"role": "viewer"}), ("PATCH", {"isActive": False}), ("DELETE", None)):
        status, problem = await boss(method, f"/users/{second['id']}", body)
        assert (status, problem["title"]) == (409, "Not possible")
    assert (await boss("DELETE", f"/users/{first['id']}"))[0] == 204
    assert [one["id"] for one in (await boss("GET", "/users"))[1]["data"]] == [second["id"]]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"role": "owner"}, "role"),
        ({"name": " "}, "name"),
        ({"password": "short"}, "password"),
        ({"password": "aaaaaaaaaaaaaaa"}, "password"),
        ({"email": "somebody@example.com", "password": "i am SOMEBODY here"}, "password"),
        ({"name": "a\0b"}, "name"),
    ],
)
async def test_a_field_that_is_wrong_is_named(fleet, boss, change, field):
    body = {"email": f"{uuid4().hex}@example.com", "name": "Ada", "role": "viewer"} | change
    status, problem = await boss("POST", "/users", body)
    assert (status, fields(problem)) == (422, {field})
    assert "somebody" not in str(problem).lower()


async def test_an_address_is_one_persons_whatever_its_case(fleet, boss):
    person = await person_of(boss, "viewer")
    body = {"email": person["email"].upper(), "name": "Ada", "role": "viewer"}
    async with operator(fleet) as stranger:
        status, problem = await stranger("POST", "/users", body)
    assert (status, fields(problem)) == (422, {"email"})
    async with browser(fleet) as someone:
        assert (await someone.sign_in(person["email"].upper()))[0] == 201


# --- invitations and passwords ---------------------------------------------------------------------------------------


async def test_an_invitation_works_once(fleet, boss):
    person = await person_of(boss, "viewer", password=None)
    token = person["invitation"]["url"].rpartition("/")[2]
    async with browser(fleet) as someone:
        assert (await someone.sign_in(person["email"]))[0] == 401
        body = {"token": token, "password": PASSWORD}
        assert (await someone("POST", "/invitations", body))[0] == 204
        assert (await someone("POST", "/invitations", body | {"password": NEW_PASSWORD}))[0] == 422
        assert (await someone.sign_in(person["email"]))[0] == 201
    assert token not in str((await boss("GET", f"/users/{person['id']}"))[1])


async def test_a_new_invitation_replaces_the_old_one(fleet, boss):
    person = await person_of(boss, "viewer", password=None)
    status, second = await boss("POST", f"/users/{person['id']}/invitation")
    assert status == 201
    async with browser(fleet) as someone:
        for url, expected in ((person["invitation"]["url"], 422), (second["data"]["url"], 204)):
            body = {"token": url.rpartition("/")[2], "password": PASSWORD}
            assert (await someone("POST", "/invitations", body))[0] == expected


async def test_a_new_password_ends_the_other_sessions(fleet, boss):
    person = await person_of(boss, "viewer")
    async with browser(fleet) as here, browser(fleet) as there:
        await here.sign_in(person["email"])
        await there.sign_in(person["email"])
        body = {"currentPassword": "no, not this one", "newPassword": NEW_PASSWORD}
        status, problem = await here("POST", "/session/password", body)
        assert (status, fields(problem)) == (422, {"currentPassword"})
        assert (await here("POST", "/session/password", body | {"currentPassword": PASSWORD}))[0] == 204
        assert (await here("GET", "/session"))[0] == 200
        assert (await there("GET", "/session"))[0] == 401
        assert (await there.sign_in(person["email"]))[0] == 401
        assert (await there.sign_in(person["email"], NEW_PASSWORD))[0] == 201


# --- sessions --------------------------------------------------------------------------------------------------------


async def test_the_cookie_is_for_the_browser_alone_and_new_at_each_sign_in(fleet, boss):
    person = await person_of(boss, "viewer")
    async with browser(fleet) as someone:
        cookies = []
        for _ in range(2):
            await someone.sign_in(person["email"])
            cookies.append(someone.answer["Set-Cookie"])
    assert all({"HttpOnly", "SameSite=lax", "Path=/"} <= set(one.split("; ")) for one in cookies)
    assert cookies[0] != cookies[1]


async def test_a_session_that_somebody_planted_is_not_taken_over(fleet, boss):
    person = await person_of(boss, "viewer")
    async with browser(fleet) as someone:
        someone.http.cookie_jar.update_cookies({"session": "planted-planted-planted-planted"})
        await someone.sign_in(person["email"])
    async with browser(fleet) as attacker:
        attacker.http.cookie_jar.update_cookies({"session": "planted-planted-planted-planted"})
        assert (await attacker("GET", "/session"))[0] == 401


async def test_who_signed_out_is_out(fleet, boss):
    person = await person_of(boss, "viewer")
    async with browser(fleet) as someone:
        await someone.sign_in(person["email"])
        kept = someone.http.cookie_jar.filter_cookies(URL(someone.url))["session"].value
        assert (await someone("DELETE", "/session"))[0] == 204
        someone.http.cookie_jar.update_cookies({"session": kept})
        assert (await someone("GET", "/session"))[0] == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 48},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_another_sites_page_writes_nothing(fleet, boss, headers):
    async with signed_in(fleet, boss, "marketer") as someone:
        assert (await someone("POST", "/sms/templates", TEMPLATE))[0] == 201
        assert (await someone("POST", "/sms/templates", TEMPLATE, Origin=someone.url))[0] == 201
        someone.headers |= headers
        assert (await someone("POST", "/sms/templates", TEMPLATE))[0] == 403
        assert len((await someone("GET", "/sms/templates"))[1]["data"]) == 2


async def test_another_sites_page_signs_nobody_in(fleet, boss):
    person = await person_of(boss, "viewer")
    async with browser(fleet) as someone:
        someone.headers["Origin"] = "https://evil.example"
        assert (await someone.sign_in(person["email"]))[0] == 403


# --- guessing --------------------------------------------------------------------------------------------------------


async def test_guessing_is_slowed_down_for_the_guesser_alone(fleet, boss):
    guessed, other = await person_of(boss, "viewer"), await person_of(boss, "viewer")
    async with browser(fleet) as someone:
        statuses = [(await someone.sign_in(guessed["email"], f"guess number {n} of many"))[0] for n in range(7)]
        assert statuses == [401] * 5 + [429] * 2
        assert 0 < int(someone.answer["Retry-After"]) <= 31
        assert (await someone.sign_in(guessed["email"]))[0] == 429
        assert (await someone.sign_in(other["email"]))[0] == 201


@pytest_asyncio.fixture
async def strict(database_of) -> AsyncIterator[Client]:
    """A gateway that looks at 5 passwords a minute from one address, as a person sees it who is signed in there."""
    settings = settings_of(database_of("gateway"), sign_ins_per_minute=5, proxies=1)
    async with open_database(settings.database_url, 4, "test") as database:
        entrance = Entrance(database, Keys(database), Tenants(database), Limits(database), settings)
        app = FastAPI()
        answer_problems(app)
        app.include_router(session_routes(database, entrance))
        body = UserWrite(email=f"{uuid4().hex}@example.com", name="Ada", role="viewer", password=PASSWORD)
        account, _ = await create_person(database, new_id(), uuid4().hex, body, 1)
        async with database.transaction() as connection:
            signed_in = await begin_session(connection, account, settings.session_limits)
        headers = {"cookie": f"session={signed_in.cookie}", "x-csrf-token": signed_in.session.csrf_token}
        headers |= {"content-type": "application/json", "x-forwarded-for": str(IPv4Address(randbits(32)))}
        yield Client(app, BASE, headers)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/invitations", {"token": "t" * 43, "password": NEW_PASSWORD}),
        ("/session/password", {"currentPassword": "a guess", "newPassword": NEW_PASSWORD}),
    ],
)
async def test_passwords_are_not_looked_at_without_end(strict, path, body):
    statuses = [(await strict.post(path, json=body)).status_code for _ in range(7)]
    assert statuses == [422] * 5 + [429] * 2


async def test_nobody_learns_whether_an_account_exists(fleet, boss):
    person, invited = await person_of(boss, "viewer"), await person_of(boss, "viewer", password=None)
    async with browser(fleet) as someone:
        answers = [
            await someone.sign_in(email, "not the password")
            for email in (person["email"], invited["email"], f"{uuid4().hex}@example.com")
        ]
    assert answers[0] == answers[1] == answers[2]
