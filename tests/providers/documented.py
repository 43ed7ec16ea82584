"""What the SMS vendors document that they may answer and report, and what each means to us.

Written down from their documentation, apart from the adapters' own tables, so that neither can forget a code alone.
"""

from __future__ import annotations

ANSWERS: dict[str, dict[str, str]] = {
    # https://www.twilio.com/docs/api/errors
    "twilio": {
        "recipient_permanent": "21211 21217 21401 21614",
        "recipient_opted_out": "21610",
        "recipient_temporary": "21612",
        "throttled": "20429 21611",
        "transient": "20500 20503",
        "content": "21602 21617 21618 21620",
        "config": "20003 20404 21212 21219 21408 21603 21606 21608 21701 21703 21704 21705 90010",
    },
    # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    "sns_sms": {
        "recipient_opted_out": "OptedOut",
        "throttled": "Throttled Throttling ThrottlingException KMSThrottling",
        "transient": "InternalError",
        "content": "ParameterValueInvalid",
        "config": (
            "AuthorizationError InvalidSecurity InvalidClientTokenId SignatureDoesNotMatch ExpiredToken KMSDisabled"
            " KMSAccessDenied KMSInvalidState KMSNotFound KMSOptInRequired"
        ),
    },
    # https://developer.vonage.com/en/api-errors/messages, …/messaging/sms/guides/troubleshooting-sms
    "nexmo": {
        "recipient_permanent": "1040 1050 1170 1190 1280 1300 1310 1430 6 7 33",
        "recipient_opted_out": "1240",
        "recipient_temporary": "1180 1200 1220 1290",
        "throttled": "1000 1241 429 1 10",
        "transient": "1030 1100 1230 1330 1331 5",
        "content": "1010 1020 1090 1130 1210 1270 2 3 12",
        "config": "1060 1070 1080 1120 1140 1160 1250 1420 401 402 4 8 9 11 14 15 22 23 29 32",
        "unknown": "1320",
    },
    # https://developers.sinch.com/docs/sms/api-reference/sms/tag/Batches/
    "sinch": {
        "throttled": "429",
        "content": "syntax_invalid_json syntax_invalid_parameter_format syntax_constraint_violation unknown_group",
        "config": "401 missing_callback_url unauthorized",
    },
}
"""Codes of answers by class, as the outcome names them."""

CALLBACKS: dict[str, dict[str, str]] = {
    "twilio": {
        "recipient_permanent": "30005 30006",
        "recipient_opted_out": "21610",
        "recipient_temporary": "30003 30004 30450",
        "throttled": "30001 30017 30022 30023 30027",
        "transient": "30008",
        "content": "30007 30019 30036",
        "config": "30002 30024 30032 30033 30034 30035",
        "unknown": "30410",
    },
    # https://docs.aws.amazon.com/sms-voice/latest/userguide/configuration-sets-event-types.html
    "sns_sms": {
        "recipient_permanent": "TEXT_INVALID",
        "recipient_temporary": "TEXT_UNREACHABLE TEXT_BLOCKED",
        "transient": "TEXT_CARRIER_UNREACHABLE",
        "content": "TEXT_CARRIER_BLOCKED TEXT_SPAM TEXT_TTL_EXPIRED",
        "config": "TEXT_PROTECT_BLOCKED",
    },
    # https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts; and the Messages API's codes once more
    "nexmo": {
        "recipient_permanent": "3 4 12 14 1040 1050 1170 1190 1280 1300 1310 1430",
        "recipient_opted_out": "9 53 1240",
        "recipient_temporary": "2 5 7 15 1180 1200 1220 1290",
        "throttled": "1000 1241",
        "transient": "1 8 99 1030 1100 1230 1330 1331",
        "content": "6 10 13 50 52 1010 1020 1090 1130 1210 1270",
        "config": "11 51 54 1060 1070 1080 1120 1140 1160 1250 1420",
    },
    # https://developers.sinch.com/docs/sms/api-reference/sms/tag/Delivery-reports/
    "sinch": {
        "recipient_permanent": "1 5 300 402",
        "recipient_temporary": "404",
        "transient": "403 406",
        "content": "405 408 411 414 415 416 417 418",
        "config": "410 412 413",
        "unknown": "407",
    },
}
"""Codes of failures by class, as the receipt names them."""

STATUSES: dict[str, dict[str, str]] = {
    "twilio": {
        "accepted": "accepted queued scheduled sending sent",
        "delivered": "delivered",
        "opened": "read",
        "bounced": "undelivered",
        "failed": "failed canceled",
        "": "partially_delivered",
    },
    "sns_sms": {
        "accepted": "SUCCESS TEXT_QUEUED TEXT_SENT TEXT_PENDING TEXT_SUCCESSFUL TEXT_UNKNOWN",
        "delivered": "TEXT_DELIVERED",
        "bounced": "FAILURE",
    },
    "nexmo": {
        "accepted": "submitted accepted buffered unknown",
        "delivered": "delivered",
        "opened": "read",
        "bounced": "undeliverable expired failed",
        "failed": "rejected",
    },
    "sinch": {
        "accepted": "Queued Dispatched Unknown",
        "delivered": "Delivered",
        "bounced": "Failed Expired Deleted",
        "failed": "Rejected Aborted Cancelled",
    },
}
"""Words for a message's state, by the kind of receipt that they make."""

PHRASES = {
    "recipient_permanent": ("Invalid phone number",),
    "recipient_opted_out": ("Phone number is opted out",),
    "recipient_temporary": (
        "Phone carrier is currently unreachable/unavailable",
        "Phone is currently unreachable/unavailable",
    ),
    "content": (
        "Blocked as spam by phone carrier",
        "Destination is on a blocked list",
        "Message body is invalid",
        "Phone carrier has blocked this message",
        "Phone has blocked SMS",
        "Phone is on a blocked list",
    ),
    "config": ("This delivery would exceed max price",),
    "unknown": ("Unknown error attempting to reach phone",),
}
"""What AWS writes into its logs. https://docs.aws.amazon.com/sns/latest/dg/sms_stats_cloudwatch.html"""
