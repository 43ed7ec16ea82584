"""Customers: finding one, what they agreed to, erasing them, and bringing in many by a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from services.gateway.routes.pages.api import Json, path_of
from services.gateway.routes.pages.visits import Form, Sent, Visit, Visitor, field_errors
from shared.http import Problem

LIST_LIMIT = 50
IMPORT_BYTES_MAX = 1024 * 1024 * 1024
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
async def list_customers(visit: Visitor, search: str = "", cursor: str = "") -> Response:
    """The list, with a search."""
    query = {"search": search}
    found = await visit.get("/customers", **query, cursor=cursor, limit=LIST_LIMIT)
    return visit.show(
        "customers/list.html",
        customers=found.data,
        query=query,
        cursor=cursor,
        next_cursor=found.body["nextCursor"],
    )


@router.get("/import")
async def choose_file(visit: Visitor) -> Response:
    """The form for a file."""
    return visit.show("customers/import.html", problem=None)


@router.get("/imports/{import_id}")
async def show_import(visit: Visitor, import_id: UUID) -> Response:
    """What became of a file."""
    found = (await visit.get(path_of("customers", "imports", import_id))).data
    return visit.show("customers/imported.html", found=found)


@router.get("/{customer_id}")
async def show_customer(visit: Visitor, customer_id: str) -> Response:
    """One customer."""
    return await _customer_page(visit, customer_id)


@router.post("/{customer_id}/preferences")
async def change_preferences(visit: Visitor, sent: Sent, customer_id: str) -> Response:
    """What the customer agrees to from now on."""
    try:
        await visit.do("PUT", path_of("preferences", customer_id), _choices(sent))
    except Problem as problem:
        if problem.status != 422:
            raise
        return await _customer_page(visit, customer_id, problem)
    return visit.go(f"{HOME}{path_of(customer_id)}", "Saved. It holds for every message from now on.")


@router.get("/{customer_id}/erase")
async def ask_before(visit: Visitor, customer_id: str) -> Response:
    """What erasing means."""
    customer = (await visit.get(path_of("customers", customer_id))).data
    return visit.show("customers/erase.html", customer=customer)


@router.post("/{customer_id}/erase")
async def erase(visit: Visitor, customer_id: str) -> Response:
    """The customer is gone."""
    await visit.do("DELETE", path_of("customers", customer_id))
    return visit.go(HOME, "The customer is erased.")


async def _customer_page(visit: Visit, customer_id: str, problem: Problem | None = None) -> Response:
    customer = (await visit.get(path_of("customers", customer_id))).data
    return visit.show(
        "customers/one.html",
        status=200 if problem is None else problem.status,
        customer=customer,
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
    async def take_file(visit: Visitor, request: Request) -> Response:
        file = (await request.form()).get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise Problem(422, "Choose a file", "nothing was sent")
        kind = "jsonl" if file.filename.endswith(("jsonl", "ndjson")) else "csv"
        try:
            answer = await visit.upload("/customers/import", KINDS[kind], _pieces(file))
        except Problem as problem:
            if problem.status != 422:
                raise
            return visit.show("customers/import.html", 422, problem=problem)
        return visit.go(f"{HOME}/imports/{answer.data['importId']}")

    return pages


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE_BYTES):
        yield piece
