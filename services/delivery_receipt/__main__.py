"""`python -m services.delivery_receipt`."""

from services.delivery_receipt.app import NAME, build
from services.delivery_receipt.settings import DeliveryReceiptSettings
from shared.runtime import main

if __name__ == "__main__":
    main(NAME, build, DeliveryReceiptSettings)
