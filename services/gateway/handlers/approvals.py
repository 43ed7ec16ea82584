"""Sending and scheduling where a tenant wants a second person to agree to what reaches many."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from pydantic import ValidationError

from contracts.http.campaigns import CampaignSchedule
from contracts.http.endpoints import BASE
from contracts.http.plans import CampaignPlan
from services.gateway.domain.access import Caller
from services.gateway.domain.approvals import SENDABLE, Approval, Size, State, is_done, why_not_decide
from services.gateway.domain.audit import actor_of
from services.gateway.handlers.asking import NO_AUDIENCE, shown_finding
from services.gateway.handlers.owners import Owners
from services.gateway.handlers.tenants import Tenants
from services.gateway.store import approvals as store
from services.gateway.store.answers import Answer
from shared.codec import now
from shared.database import Transactions, ask_for
from shared.http import Problem
from shared.ids import new_id
from shared.logs import logger

UNPERFORMED_SECONDS = 30.0
"""So long whoever approved has to perform it; then the job does."""

UNPERFORMED_MAX = 50
REASON_CHARACTERS_MAX = 500

VOID_REASON = "the campaign was changed since it was asked for: ask again"
REPLACED_REASON = "asked for again"

GROWING = "a file of recipients is still coming in: wait until it has ended; one that was cut off ends in a minute"

_JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Launch:
    """A command to send or schedule a campaign."""

    channel: str
    campaign_id: UUID
    action: str
    body: bytes

    @property
    def scheduled_send_time(self) -> datetime | None:
        """When it is to be sent; None for at once. Raises `ValidationError`."""
        is_now = self.action == "send"
        return None if is_now else CampaignSchedule.model_validate_json(self.body).scheduled_send_time


@dataclass(slots=True)
class Approvals:
    """Commands that may need a second person."""

    database: Transactions
    owners: Owners
    tenants: Tenants

    async def launch(self, caller: Caller, launch: Launch) -> Answer | Approval:
        """The owner's answer, or what waits for a second person now.

        Where a tenant asks for approvals, the owner does nothing but the very plan whose size was looked at. What it
        would refuse goes there at once, so that it says why. A 409 problem while a file of people is coming in, a 422
        problem where there is nobody to send to.
        """
        above = (await self.tenants.read(caller.user_id)).approval_above
        plan = await self._plan_of(caller.user_id, launch.channel, launch.campaign_id)
        if above is None and plan.audience_filter:
            return await self._ask_owner(caller.user_id, launch, None)
        size = await self._size_of(caller.user_id, launch, plan)
        is_refused = plan.blockers or plan.status not in SENDABLE or not _is_possible(launch)
        if not is_refused and not plan.audience_filter and size.added == 0:
            raise Problem(422, "Not ready", errors=[shown_finding(NO_AUDIENCE)])
        if above is None:
            return await self._ask_owner(caller.user_id, launch, None)
        if is_refused or size.total <= above:
            return await self._ask_owner(caller.user_id, launch, plan.digest)
        return await self._request(caller, launch, plan, size)

    async def _request(self, caller: Caller, launch: Launch, plan: CampaignPlan, size: Size) -> Approval:
        """The approval that waits for the very same already, or a new one in the place of what waits."""
        actor = actor_of(caller)
        values = {
            "id": new_id(),
            "user_id": caller.user_id,
            "channel": launch.channel,
            "campaign_id": launch.campaign_id,
            "action": launch.action,
            "body": launch.body,
            "digest": plan.digest,
            "added": size.added,
            "size": size.total,
            "requester_kind": actor.kind,
            "requester_id": actor.id,
            "requester_name": actor.name,
            "requesters": sorted(caller.people),
        }
        async with self.database.transaction() as connection:
            await store.lock_campaign(connection, launch.campaign_id)
            open_one = await store.claim_open(connection, caller.user_id, launch.campaign_id)
            if open_one is not None:
                if open_one.state is State.APPROVED:
                    raise Problem(409, "Not possible", "somebody has approved it, and it is being sent")
                if launch_of(open_one) == launch and open_one.size == size.total and open_one.covers(plan, size):
                    return open_one
                await store.mark_state(connection, open_one.id, State.PENDING, State.VOID, {"reason": REPLACED_REASON})
            return await store.insert_approval(connection, values)

    async def find(self, user_id: str, approval_id: UUID) -> Approval:
        """One approval; a 404 problem when the tenant has none."""
        async with self.database.transaction() as connection:
            approval = await store.find_approval(connection, user_id, approval_id)
        if approval is None:
            raise Problem(404, "No such approval")
        return approval

    async def approve(self, caller: Caller, approval_id: UUID) -> Approval:
        """The approval when its campaign was sent or scheduled. Approving again what was cut off goes on with it."""
        approval = await self.find(caller.user_id, approval_id)
        _check_decider(approval, caller)
        if approval.state is State.PENDING:
            plan = await self._plan_of(approval.user_id, approval.channel, approval.campaign_id)
            if approval.covers(plan, await self._size_of(approval.user_id, launch_of(approval), plan)):
                approval = await self._move(approval, State.PENDING, State.APPROVED, _decided_by(caller))
            else:
                approval = await self._move(approval, State.PENDING, State.VOID, {"reason": VOID_REASON})
        if approval.state is State.APPROVED:
            approval = await self.perform(approval)
        if approval.state is not State.PERFORMED:
            raise _ended(approval)
        return approval

    async def reject(self, caller: Caller, approval_id: UUID) -> Approval:
        """Nothing is sent."""
        approval = await self.find(caller.user_id, approval_id)
        _check_decider(approval, caller)
        rejected = await self._move(approval, State.PENDING, State.REJECTED, _decided_by(caller))
        if rejected.state is not State.REJECTED:
            raise _ended(rejected)
        return rejected

    async def perform(self, approval: Approval) -> Approval:
        """Does what was approved, once, however often it is tried: the campaign's own state decides.

        It stays approved, for the job to try again, while the owner cannot be reached.
        """
        launch = launch_of(approval)
        plan = await self._plan_of(approval.user_id, approval.channel, approval.campaign_id)
        if plan.status in SENDABLE and not approval.covers(plan, await self._size_of(approval.user_id, launch, plan)):
            return await self._move(approval, State.APPROVED, State.VOID, {"reason": VOID_REASON})
        answer = await self._ask_owner(approval.user_id, launch, approval.digest)
        if answer.status >= 500:
            raise Problem(503, "Temporarily unavailable", "it is approved, and will be done shortly")
        if answer.status < 300:
            return await self._move(approval, State.APPROVED, State.PERFORMED, {})
        if answer.status in (409, 422):
            plan = await self._plan_of(approval.user_id, approval.channel, approval.campaign_id)
            if is_done(plan, launch.scheduled_send_time):
                return await self._move(approval, State.APPROVED, State.PERFORMED, {})
        if answer.status == 412:
            return await self._move(approval, State.APPROVED, State.VOID, {"reason": VOID_REASON})
        return await self._move(approval, State.APPROVED, State.FAILED, {"reason": _reason_of(answer)})

    async def perform_left(self) -> int:
        """Performs what was approved and cut off; says how many there were."""
        async with self.database.whole_fleet.pool.connection() as connection:
            left = await store.find_unperformed(connection, UNPERFORMED_SECONDS, UNPERFORMED_MAX)
        for approval in left:
            ask_for(approval.user_id)
            try:
                await self.perform(approval)
            except Problem as problem:
                logger().warning("approval_not_performed", status=problem.status)
        return len(left)

    async def check_addition(self, user_id: str, channel: str, campaign_id: UUID) -> None:
        """A 409 problem where people would be added to what was scheduled for those whom somebody looked at."""
        if (await self.tenants.recent(user_id)).approval_above is None:
            return
        plan = await self._plan_of(user_id, channel, campaign_id)
        if plan.status == "scheduled":
            detail = (
                "nobody is added to a scheduled campaign where approvals are asked for: clone it and cancel this one"
            )
            raise Problem(409, "Not possible", detail)

    async def _move(self, approval: Approval, old: State, new: State, values: dict[str, Any]) -> Approval:
        """The approval in its new state, or as it is where it was not in the old one any more."""
        async with self.database.transaction() as connection:
            moved = await store.mark_state(connection, approval.id, old, new, values)
        return moved or await self.find(approval.user_id, approval.id)

    async def _ask_owner(self, user_id: str, launch: Launch, digest: str | None) -> Answer:
        target = f"{BASE}/{launch.channel}/campaigns/{launch.campaign_id}/{launch.action}"
        headers = _JSON if digest is None else {**_JSON, "if-match": digest}
        return await self.owners.ask("campaign", "POST", target, user_id, headers, launch.body)

    async def _plan_of(self, user_id: str, channel: str, campaign_id: UUID) -> CampaignPlan:
        target = f"/internal/{channel}/campaigns/{campaign_id}/plan"
        return msgspec.json.decode(await self._body_of("campaign", "GET", target, user_id, b""), type=CampaignPlan)

    async def _size_of(self, user_id: str, launch: Launch, plan: CampaignPlan) -> Size:
        target = f"/internal/{launch.channel}/campaigns/{launch.campaign_id}/size"
        body = msgspec.json.encode({"audienceFilter": plan.audience_filter})
        found = msgspec.json.decode(await self._body_of("audience", "POST", target, user_id, body))
        size = Size(**found["data"])
        if size.growing:
            raise Problem(409, "Not possible", GROWING, headers={"Retry-After": "60"})
        return size

    async def _body_of(self, owner: str, method: str, target: str, user_id: str, body: bytes) -> bytes:
        answer = await self.owners.ask(owner, method, target, user_id, _JSON, body)
        if answer.status != 200:
            raise _problem_of(answer)
        return answer.body


def launch_of(approval: Approval) -> Launch:
    """What was asked for."""
    return Launch(approval.channel, approval.campaign_id, approval.action, approval.body)


def _is_possible(launch: Launch) -> bool:
    """Whether the command itself is in order; else the owner says what is wrong with it."""
    try:
        at = launch.scheduled_send_time
    except ValidationError:
        return False
    return at is None or at > now()


def _check_decider(approval: Approval, caller: Caller) -> None:
    if reason := why_not_decide(approval, caller):
        raise Problem(403, "Not allowed", reason)


def _ended(approval: Approval) -> Problem:
    title = "Void" if approval.state is State.VOID else "Not possible"
    return Problem(409, title, approval.reason or f"it is {approval.state} already")


def _decided_by(caller: Caller) -> dict[str, Any]:
    assert caller.person is not None
    return {"decided_at": now(), "decider_id": caller.person.id, "decider_name": caller.person.email}


def _problem_of(answer: Answer) -> Problem:
    """An owner's problem as ours."""
    try:
        told = msgspec.json.decode(answer.body, type=_Told)
    except msgspec.DecodeError:
        return Problem(503, "Temporarily unavailable", "try again shortly")
    return Problem(answer.status, told.title, told.detail, told.errors)


def _reason_of(answer: Answer) -> str:
    problem = _problem_of(answer)
    texts = [problem.detail or problem.title, *(f"{one['field']} {one['message']}" for one in problem.errors)]
    return "; ".join(texts)[:REASON_CHARACTERS_MAX]


class _Told(msgspec.Struct):
    """A problem document, as far as we pass it on."""

    title: str
    detail: str | None = None
    errors: list[dict[str, str]] = []
