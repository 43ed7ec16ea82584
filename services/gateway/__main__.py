"""`python -m services.gateway`."""

from services.gateway.app import NAME, build
from services.gateway.settings import GatewaySettings
from shared.runtime import main

if __name__ == "__main__":
    main(NAME, build, GatewaySettings)
