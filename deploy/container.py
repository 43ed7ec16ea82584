"""What runs in the containers of docker-compose.yml.

`python -m deploy.container secrets` makes the fleet's secrets once; `… deploy` runs the deploy step; `… SERVICE` runs a
service. Variables that are set win over the secrets of the volume, so an orchestrator with its own secret store needs
no volume and starts `python -m services.SERVICE` directly.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import quote

from deploy.secrets import load_secrets
from shared.database.roles import SERVICES, role_url

FOLDER = Path("/run/fleet")
POSTGRES_UID = 999
"""Who reads the password in the public image of PostgreSQL."""

SIMULATOR = "provider_simulator"


def main() -> None:
    """Replaces this process by the one that is asked for; exits 2 for an unknown name."""
    names = {"secrets", "deploy", SIMULATOR, *SERVICES}
    if len(sys.argv) != 2 or sys.argv[1] not in names:
        sys.exit(f"usage: python -m deploy.container {'|'.join(sorted(names))}")
    name = sys.argv[1]
    if name == "secrets":
        make_secrets(FOLDER)
        return
    environment = os.environ | {} if name == SIMULATOR else environment_of(name, load_secrets(FOLDER / "secrets.json"))
    module = "shared.deploy" if name == "deploy" else f"services.{name}"
    os.execve(sys.executable, [sys.executable, "-m", module], environment)


def make_secrets(folder: Path) -> None:
    """Makes the secrets, and PostgreSQL's password in a file of its own, as its image wants it."""
    secrets = load_secrets(folder / "secrets.json")
    password = folder / "postgres_password"
    password.touch(mode=0o600)
    password.write_text(secrets["postgres_password"])
    if os.geteuid() == 0:
        owner = int(os.environ["FLEET_UID"])
        os.chown(folder / "secrets.json", owner, owner)
        os.chown(password, POSTGRES_UID, POSTGRES_UID)


def environment_of(name: str, secrets: dict[str, str]) -> dict[str, str]:
    """The caller's environment, completed by the secrets that this process may know."""
    address = os.environ.get("DATABASE_ADDRESS", "postgres:5432/notifications")
    admin_url = f"postgresql://postgres:{quote(secrets['postgres_password'], safe='')}@{address}"
    if name == "deploy":
        own = {"DATABASE_ADMIN_URL": admin_url, "DATABASE_ROLE_SECRET": secrets["role_secret"]}
    else:
        own = {
            "DATABASE_URL": role_url(admin_url, name, secrets["role_secret"]),
            "SECRETS_KEY": secrets["secrets_key"],
            "INTERNAL_TOKEN": secrets["internal_token"],
        }
    return own | {variable: value for variable, value in os.environ.items() if value}


if __name__ == "__main__":
    main()
