"""`python -m services.campaign`."""

from services.campaign.app import NAME, build
from services.campaign.settings import CampaignSettings
from shared.runtime import main

if __name__ == "__main__":
    main(NAME, build, CampaignSettings)
