"""`python -m services.analytics`."""

from services.analytics.app import NAME, build
from services.analytics.settings import AnalyticsSettings
from shared.runtime import main

if __name__ == "__main__":
    main(NAME, build, AnalyticsSettings)
