"""Customers: finding one, what they agreed to, erasing them, and bringing in many by a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from contracts.http.endpoints import REVEAL
from services.gateway.routes.pages.api import Json, path_of
from services.gateway.routes.pages.desks import AtDesk, Desk, Form, Sent, field_errors
from shared.http import Problem

LIST_LIMIT = 50
IMPORT_BYTES_MAX = 32 * 1024 * 1024
"""Of a file that a browser sends without scripts; with them it goes to the API as it is, however long."""

PIECE_BYTES = 256 * 1024
HOME = "/notification/customers"
FLAGS = (
    ("smsOptedIn", "SMS", "May get text messages"),
    ("pushOptedIn", "Push", "May get push notifications"),
    ("marketingOptedIn", "Marketing", "May get offers and news"),
    ("transactionalOptedIn", "Service messages", "May get what they are waiting for, such as codes and orders"),
)
LISTS = (("smsCategories", "Kinds of text messages"), ("pushCategories", "Kinds of push notifications"))
KINDS = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
router = APIRouter(prefix=HOME)


@router.get("")
async def list_customers(desk: AtDesk, search: str = "", cursor: str = "") -> Response:
    """The list, with a search."""
    query = {"search": search}
    found = await desk.get("/customers", **query, cursor=cursor, limit=LIST_LIMIT)
    return desk.show(
        "customers/list.html",
        customers=found.data,
        query=query,
        cursor=cursor,
        next_cursor=found.body["nextCursor"],
    )


@router.get("/import")
async def choose_file(desk: AtDesk) -> Response:
    """The form for a file."""
    desk.require("write")
    return desk.show("customers/import.html", problem=None)


@router.get("/imports/{import_id}")
async def show_import(desk: AtDesk, import_id: UUID) -> Response:
    """What became of a file."""
    found = (await desk.get(path_of("customers", "imports", import_id))).data
    return desk.show("customers/imported.html", found=found)


@router.get("/{customer_id}")
async def show_customer(desk: AtDesk, customer_id: str) -> Response:
    """One customer."""
    return await _customer_page(desk, customer_id)


@router.post("/{customer_id}/reveal")
async def reveal(desk: AtDesk, customer_id: str) -> Response:
    """The same with the whole phone number; who looked is in the audit log."""
    shown = (await desk.do("POST", path_of("customers", customer_id, REVEAL))).data
    return await _customer_page(desk, customer_id, revealed=shown["phoneNumber"])


@router.get("/{customer_id}/reveal")
async def hide(desk: AtDesk, customer_id: str) -> Response:
    """The address of the page with the whole number, when it is loaded again."""
    return desk.go(f"{HOME}{path_of(customer_id)}")


@router.post("/{customer_id}/preferences")
async def change_preferences(desk: AtDesk, sent: Sent, customer_id: str) -> Response:
    """What the customer agrees to from now on."""
    try:
        await desk.do("PUT", path_of("preferences", customer_id), _choices(sent))
    except Problem as problem:
        if problem.status != 422:
            raise
        return await _customer_page(desk, customer_id, problem)
    return desk.go(f"{HOME}{path_of(customer_id)}", "Saved. It holds for every message from now on.")


@router.get("/{customer_id}/erase")
async def ask_before(desk: AtDesk, customer_id: str) -> Response:
    """What erasing means."""
    customer = (await desk.get(path_of("customers", customer_id))).data
    return desk.show("customers/erase.html", customer=customer)


@router.post("/{customer_id}/erase")
async def erase(desk: AtDesk, customer_id: str) -> Response:
    """The customer is gone."""
    await desk.do("DELETE", path_of("customers", customer_id))
    return desk.go(HOME, "The customer is erased.")


async def _customer_page(
    desk: Desk, customer_id: str, problem: Problem | None = None, revealed: str | None = None
) -> Response:
    customer = (await desk.get(path_of("customers", customer_id))).data
    return desk.show(
        "customers/one.html",
        status=200 if problem is None else problem.status,
        customer=customer,
        revealed=revealed,
        flags=FLAGS,
        lists=LISTS,
        errors={} if problem is None else field_errors(problem),
    )


def _choices(sent: Form) -> Json:
    flags = {name: sent[name] == "yes" for name, _, _ in FLAGS}
    return flags | {name: [one.strip() for one in sent[name].split(",") if one.strip()] for name, _ in LISTS}


def import_pages() -> APIRouter:
    """The one form that sends a file, and so may be long."""
    pages = APIRouter(prefix=HOME)

    @pages.post("/import", max_body_size=IMPORT_BYTES_MAX)
    async def take_file(desk: AtDesk, request: Request) -> Response:
        file = (await request.form()).get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise Problem(422, "Choose a file", "nothing was sent")
        kind = "jsonl" if file.filename.endswith(("jsonl", "ndjson")) else "csv"
        try:
            answer = await desk.upload("/customers/import", KINDS[kind], _pieces(file))
        except Problem as problem:
            if problem.status != 422:
                raise
            return desk.show("customers/import.html", 422, problem=problem)
        return desk.go(f"{HOME}/imports/{answer.data['importId']}")

    return pages


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE_BYTES):
        yield piece
