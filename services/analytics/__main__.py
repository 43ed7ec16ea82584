"""`python -m services.analytics`, and `… rebuild [--verify]`."""

import sys

from services.analytics import rebuilding
from services.analytics.app import NAME, build
from services.analytics.settings import AnalyticsSettings
from shared.runtime import main

if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(rebuilding.main(sys.argv[1:]))
    main(NAME, build, AnalyticsSettings)
