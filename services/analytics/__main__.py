"""`python -m services.analytics`, and `… rebuild [--verify]`, which does without what only the service needs."""

import sys

if __name__ == "__main__":
    if sys.argv[1:]:
        from services.analytics import rebuilding

        sys.exit(rebuilding.main(sys.argv[1:]))

    from services.analytics.app import NAME, build
    from services.analytics.settings import AnalyticsSettings
    from shared.runtime import main

    main(NAME, build, AnalyticsSettings)
