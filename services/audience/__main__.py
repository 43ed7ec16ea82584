"""`python -m services.audience`."""

from services.audience.app import build
from services.audience.settings import AudienceSettings
from shared.runtime import main

if __name__ == "__main__":
    main("audience", build, AudienceSettings)
