"""Connections with certificates: another server's, believed by `config.caFile`, and the client's own."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.providers import apns
from shared.providers.provider import Accepted, Deferred, Outcome, boottime
from shared.providers.registry import open_provider, validate_account
from shared.providers.wire import Wire
from tests.providers.samples import message_of, values_of
from tests.providers.servers import OK_ANSWER, Heard, saying, server

HOSTS = frozenset({"127.0.0.1"})
APP = "com.example.shop"


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        return cls(_signed(name, name, key.public_key(), key, is_authority=True), key)

    def issue(self, *subject: tuple[x509.ObjectIdentifier, str]) -> str:
        """The PEM text of a certificate for 127.0.0.1 and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject])
        made = _signed(name, self.certificate.subject, key.public_key(), self.key)
        return pem_of(made) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()  # fmt: skip


def _signed(
    subject: x509.Name, issuer: x509.Name, public: Any, key: ec.EllipticCurvePrivateKey, is_authority: bool = False
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )


def pem_of(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@dataclass(frozen=True)
class Trust:
    """Files for a server and its clients."""

    authority: Authority
    folder: Path

    @property
    def ca_file(self) -> str:
        return str(self.folder / "ca.pem")

    def context(self, clients: bool) -> ssl.SSLContext:
        """A server's side, which speaks nothing but HTTP/2, and may ask for the client's certificate."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (self.folder / "server.pem").write_text(self.authority.issue((NameOID.COMMON_NAME, "127.0.0.1")))
        made.load_cert_chain(self.folder / "server.pem")
        made.set_alpn_protocols(["h2"])
        if clients:
            made.load_verify_locations(self.ca_file)
            made.verify_mode = ssl.CERT_REQUIRED
        return made


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    authority = Authority.new()
    (tmp_path / "ca.pem").write_text(pem_of(authority.certificate))
    return Trust(authority, tmp_path)


@asynccontextmanager
async def apple(trust: Trust, clients: bool) -> AsyncIterator[Heard]:
    async with server(saying(OK_ANSWER), trust.context(clients)) as heard:
        yield heard


async def send(values: dict[str, Any], count: int = 3) -> list[Outcome]:
    wire = Wire(allowed_hosts=HOSTS, timeout_seconds=5)
    try:
        provider = open_provider("push", "apns", values, wire)
        return await provider.send([message_of("apns", number) for number in range(count)], boottime() + 30)
    finally:
        await wire.close()


def values_at(url: str, **config: Any) -> dict[str, Any]:
    values = values_of("apns", url)
    values["config"] |= config
    return values


async def test_another_server_is_believed_by_its_own_authority(trust: Trust) -> None:
    async with apple(trust, clients=False) as heard:
        host, port = "127.0.0.1", int(heard.url.rpartition(":")[2])
        values = values_at("", host=host, port=port, caFile=trust.ca_file)
        assert {type(outcome) for outcome in await send(values)} == {Accepted}
        assert heard.connections == 1
        stranger = await send(values_at(heard.url))
        assert {type(outcome) for outcome in stranger} == {Deferred}
        assert len(heard.requests) == 3, "nobody speaks to a server that is not believed"


async def test_a_push_certificate_takes_the_place_of_the_key(trust: Trust) -> None:
    certificate = trust.authority.issue((NameOID.USER_ID, APP), (NameOID.COMMON_NAME, "Apple Push Services"))
    async with apple(trust, clients=True) as heard:
        values = values_at(heard.url, caFile=trust.ca_file, certificate=certificate)
        for name in ("keyId", "teamId", "topic", "privateKey"):
            del values["config"][name]
        assert {type(outcome) for outcome in await send(values, 50)} == {Accepted}
        assert heard.connections == 1
        without = await send(values_at(heard.url, caFile=trust.ca_file))
        assert not [outcome for outcome in without if isinstance(outcome, Accepted)]
    request = apns.request(apns.account(values), message_of("apns"))
    assert f"apns-topic: {APP}" in request.headers
    assert not [line for line in request.headers if line.startswith("authorization")]
    assert "PRIVATE KEY" not in repr(apns.account(values))


async def test_two_accounts_never_share_a_certificate(trust: Trust) -> None:
    """One wire, one server: who has no certificate must not travel on the connection of who has."""
    certificate = trust.authority.issue((NameOID.USER_ID, APP))
    async with apple(trust, clients=True) as heard:
        wire = Wire(allowed_hosts=HOSTS, timeout_seconds=5)
        mine = open_provider("push", "apns", values_at(heard.url, caFile=trust.ca_file, certificate=certificate), wire)
        others = open_provider("push", "apns", values_at(heard.url, caFile=trust.ca_file), wire)
        (first,) = await mine.send([message_of("apns", 1)], boottime() + 30)
        (second,) = await others.send([message_of("apns", 2)], boottime() + 30)
        (third,) = await mine.send([message_of("apns", 3)], boottime() + 30)
        await wire.close()
    assert (type(first), type(third)) == (Accepted, Accepted)
    assert not isinstance(second, Accepted)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"certificate": "-----BEGIN CERTIFICATE-----"}, "config.certificate"),
        ({"caFile": "/nowhere/ca.pem"}, "config.caFile"),
        ({"caFile": "/etc/hostname", "baseUrl": ""}, "config.caFile"),
    ],
)
def test_unusable_files_are_refused_by_field(config: dict[str, Any], field: str) -> None:
    values = values_at("http://127.0.0.1:9", **config)
    assert [problem.field for problem in validate_account("push", "apns", values, HOSTS)] == [field]
