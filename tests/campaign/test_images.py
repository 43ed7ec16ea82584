"""Pictures are looked at where anybody can reach them, and nowhere else."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.campaign import images
from services.campaign.domain.images import Image, read_image
from services.campaign.images import is_public, open_images

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBBI", 13, b"IHDR", 1200, 600, 8, 2, 0, 0, 0, 0)
GIF = b"GIF89a" + struct.pack("<HH", 300, 100) + bytes(20)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + (
    b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", 500, 1000) + b"\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"
)
WEBP = (
    b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00"
    + bytes(4)
    + (799).to_bytes(3, "little")
    + (399).to_bytes(3, "little")
)

ASKED = web.AppKey("asked", list[str])


@pytest.mark.parametrize(
    ("beginning", "size"), [(PNG, (1200, 600)), (GIF, (300, 100)), (JPEG, (1000, 500)), (WEBP, (800, 400))]
)
def test_the_size_is_in_the_header(beginning, size):
    assert read_image(beginning) == Image(*size)


@pytest.mark.parametrize("beginning", [b"", b"<svg width='2' height='1'/>", PNG[:12], JPEG[:20], b"BM" + bytes(60)])
def test_other_files_are_not_read(beginning):
    assert read_image(beginning).trouble == "it is not a PNG, JPEG, GIF or WebP"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        *(
            (private, False)
            for private in (
                "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
                "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
                "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "0177.0.0.1", "nonsense",
                "::127.0.0.1", "::ffff:0:127.0.0.1", "fec0::1",
            )
        ),
    ],
)  # fmt: skip
def test_what_is_public(address, public):
    assert is_public(address) is public


@pytest_asyncio.fixture
async def host() -> AsyncIterator[TestServer]:
    """A web server with pictures, of which `asked` counts the requests."""
    asked: list[str] = []

    async def picture(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        match request.match_info["name"]:
            case "good.png":
                return web.Response(body=PNG)
            case "endless.png":
                answer = web.StreamResponse()
                await answer.prepare(request)
                await answer.write(PNG)
                while True:
                    await answer.write(bytes(1 << 16))
            case "silent.png":
                await asyncio.Event().wait()
            case "away.png":
                raise web.HTTPFound("http://127.0.0.2:1/metadata")
            case "metadata.png":
                raise web.HTTPFound("http://169.254.169.254/latest/meta-data")
            case "here.png":
                raise web.HTTPFound("good.png")
            case "round.png":
                raise web.HTTPFound("round.png")
        raise web.HTTPNotFound

    app = web.Application()
    app.router.add_get("/{name}", picture)
    app[ASKED] = asked
    async with TestServer(app, host="127.0.0.1") as server:
        yield server


@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("good.png", None),
        ("here.png", None),
        ("endless.png", None),
        ("missing.png", "the host answers with status 404"),
        ("silent.png", "no answer within 0.2 seconds"),
        ("round.png", "it is redirected more than 3 times"),
        ("away.png", "only the ports 80 and 443 are looked at"),
        ("metadata.png", "the host has no public address"),
    ],
)
async def test_an_allowed_host_is_asked_and_its_redirects_are_judged_again(host, monkeypatch, name, trouble):
    monkeypatch.setattr(images, "LOOK_SECONDS", 0.2 if name == "silent.png" else 5.0)
    async with open_images(frozenset({"127.0.0.1"})) as found:
        image = await found.look_at(str(host.make_url(name)))
    assert image == (Image(1200, 600) if trouble is None else Image(trouble=trouble))


async def test_a_picture_is_looked_at_once_in_a_while(host):
    async with open_images(frozenset({"127.0.0.1"})) as found:
        for _ in range(3):
            await found.look_at(str(host.make_url("good.png")))
    assert host.app[ASKED] == ["/good.png"]


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/x.png",
        "http://127.1/x.png",
        "http://0177.0.0.1/x.png",
        "http://0x7f.0.0.1/x.png",
        "http://2130706433/x.png",
        "http://[::1]/x.png",
        "http://[::ffff:127.0.0.1]/x.png",
        "http://localhost/x.png",
        "http://127.0.0.1.:80/x.png",
        "http://user@127.0.0.1/x.png",
        "http://nobody.invalid/x.png",
        "https:///x.png",
        "file:///etc/passwd",
        "ftp://example.com/x.png",
    ],
)
async def test_our_own_network_is_never_asked(host, address):
    """Each names this machine in one way or another; the ports that are looked at answer nothing here."""
    async with open_images(frozenset()) as found:
        image = await found.look_at(address)
        assert image.trouble is not None
        inside = await found.look_at(str(host.make_url("good.png")))
    assert inside.trouble == "only the ports 80 and 443 are looked at"
    assert host.app[ASKED] == []


async def test_a_name_that_leads_inside_is_not_connected_to(host, monkeypatch):
    monkeypatch.setattr(images, "PORTS", (host.port,))
    async with open_images(frozenset()) as found:
        image = await found.look_at(f"http://localhost:{host.port}/good.png")
    assert image.trouble == "the host has no public address or does not answer"
    assert host.app[ASKED] == []
