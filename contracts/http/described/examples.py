"""Bodies that work, but for ids that are yours."""

from __future__ import annotations

from contracts.http.described.words import EXAMPLE_ID

PROVIDERS = {
    "sms": {
        "providerName": "Main account",
        "providerType": "twilio",
        "accountSid": "AC00000000000000000000000000000000",
        "apiSecret": "your auth token",
        "phoneNumber": "+15005550006",
    },
    "push": {
        "providerName": "The app",
        "providerType": "onesignal",
        "apiKey": "your app's key",
        "config": {"appId": EXAMPLE_ID, "webhookSecret": "a secret of your own"},
    },
}
TEMPLATES = {
    "sms": {
        "templateName": "Sale",
        "content": "Acme: Hi {{firstName|there}}, 20% off until Sunday. Reply STOP to unsubscribe.",
    },
    "push": {
        "templateName": "Sale",
        "title": "20% off everything until Sunday",
        "body": "Hi {{firstName|there}}, the sale has begun.",
        "imageUrl": "https://example.com/sale.png",
        "actionUrl": "app://sale",
    },
}
CAMPAIGN = {
    "campaignName": "Sale",
    "templateId": EXAMPLE_ID,
    "audienceFilter": {"all": [{"field": "country", "op": "eq", "value": "DE"}]},
}
SCHEDULE = {"scheduledSendTime": "2099-01-31T09:00:00Z"}
CUSTOMERS = {
    "customers": [
        {
            "customerId": "C-1001",
            "phoneNumber": "+4915112345678",
            "firstName": "Alexandra",
            "country": "DE",
            "attributes": {"plan": "gold"},
            "smsOptedIn": True,
        }
    ]
}
CUSTOMER_FILE = "customerId,phoneNumber,firstName\nC-1001,+4915112345678,Alexandra\n"
RECIPIENTS = {
    "sms": {"recipients": [{"phoneNumber": "+4915112345678", "recipientName": "Alexandra"}]},
    "push": {"recipients": [{"deviceToken": "a-token-of-a-device", "deviceType": "ios"}]},
}
RECIPIENT_FILES = {"sms": "phoneNumber\n+4915112345678\n", "push": "deviceToken,deviceType\na-token-of-a-device,ios\n"}
TESTS = {
    "sms": {"recipients": [{"address": "+4915112345678", "variables": {"firstName": "Alexandra"}}]},
    "push": {"recipients": [{"address": "a-token-of-a-device"}]},
}
DEVICE = {"deviceToken": "a-token-of-a-device", "deviceType": "ios"}
AUDIENCE = {"audienceFilter": {"all": [{"field": "country", "op": "eq", "value": "DE"}]}}
SEND = {
    "messages": [
        {
            "requestId": "order-4711",
            "channel": "sms",
            "address": "+4915112345678",
            "content": {"body": "Your code is 123456."},
        }
    ]
}
