"""The fleet's secrets, made once and kept in one file for their owner."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

SECRET_BYTES = 24


def load_secrets(path: Path) -> dict[str, str]:
    """The secrets in the file; those that it lacks are made and added, and nobody but its owner may read it."""
    known: dict[str, str] = read_json(path)
    made = {
        "postgres_password": secrets.token_urlsafe(SECRET_BYTES),
        "role_secret": secrets.token_urlsafe(SECRET_BYTES),
        "internal_token": secrets.token_urlsafe(SECRET_BYTES),
        "secrets_key": Fernet.generate_key().decode(),
    }
    if made.keys() - known.keys():
        known = made | known
        write_json(path, known, 0o600)
    return known


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file; empty when there is none or a killed run left half of one."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: Mapping[str, Any], mode: int = 0o644) -> None:
    """Replaces the file as a whole, so that no reader sees half of it."""
    beside = path.with_name(f"{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
    beside.replace(path)
