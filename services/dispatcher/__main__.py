"""`python -m services.dispatcher`."""

from services.dispatcher.app import NAME, build
from services.dispatcher.settings import DispatcherSettings
from shared.runtime import main

if __name__ == "__main__":
    main(NAME, build, DispatcherSettings)
