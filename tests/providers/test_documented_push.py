"""Every status and code that push vendors document stands as a fixture pair, and means what the documents say.

After the server's own failures (5xx) nobody knows whether the message was taken, whatever the vendor calls them.
"""

from __future__ import annotations

import json

import pytest

from tests.providers.samples import folder_of

Meanings = dict[tuple[int, str], str]
"""By status and by a text of the body: the error class, or why it is deferred or unknown."""


def _all(status: int, meaning: str, *codes: str) -> Meanings:
    return {(status, code): meaning for code in codes}


DOCUMENTED: dict[str, Meanings] = {
    # https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
    "firebase": {
        (200, "projects/"): "Accepted",
        (400, "UNSPECIFIED_ERROR"): "unknown",
        (400, "registration token"): "recipient_permanent",
        (400, "fieldViolations"): "content",
        (401, "THIRD_PARTY_AUTH_ERROR"): "config",
        (401, "UNAUTHENTICATED"): "unauthorized",
        (403, "SENDER_ID_MISMATCH"): "recipient_permanent",
        (403, "PERMISSION_DENIED"): "config",
        (404, "UNREGISTERED"): "recipient_permanent",
        (404, "NOT_FOUND"): "config",
        (429, "QUOTA_EXCEEDED"): "throttled",
        (500, "INTERNAL"): "server_error",
        (503, "UNAVAILABLE"): "server_error",
    },
    # https://documentation.onesignal.com/reference/create-notification
    "onesignal": {
        (200, '"id": "'): "Accepted",
        (200, "All included players are not subscribed"): "recipient_permanent",
        (200, "invalid_player_ids"): "recipient_permanent",
        (200, "warnings"): "Accepted",
        **{(status, ""): "config" for status in (401, 403, 404, 409, 422)},
        (400, "app_id"): "config",
        (400, "content must not be null"): "content",
        (429, ""): "throttled",
        (500, ""): "server_error",
        (503, ""): "server_error",
    },
    # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    "sns_push": {
        (200, "MessageId"): "Accepted",
        **_all(400, "content", "ParameterValueInvalid", "ValidationException"),
        **_all(400, "config", "PlatformApplicationDisabled", "KMSDisabled", "KMSAccessDenied", "KMSInvalidState"),
        **_all(400, "config", "KMSNotFound"),
        **_all(403, "config", "AuthorizationError", "InvalidSecurity", "InvalidClientTokenId", "ExpiredToken"),
        **_all(403, "config", "SignatureDoesNotMatch", "KMSOptInRequired"),
        **_all(400, "throttled", "Throttled", "Throttling", "ThrottlingException", "KMSThrottling"),
        (400, "EndpointDisabled"): "recipient_permanent",
        (404, "NotFound"): "recipient_permanent",
        (500, "InternalError"): "server_error",
    },
    # https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
    "apns": {
        (200, ""): "Accepted",
        **_all(410, "recipient_permanent", "Unregistered", "ExpiredToken"),
        **_all(400, "recipient_permanent", "BadDeviceToken", "DeviceTokenNotForTopic"),
        **_all(400, "content", "PayloadEmpty", "BadCollapseId", "BadExpirationDate", "BadMessageId", "BadPriority"),
        **_all(400, "content", "InvalidPushType", "MissingDeviceToken", "DuplicateHeaders"),
        (413, "PayloadTooLarge"): "content",
        **_all(400, "config", "BadTopic", "MissingTopic", "TopicDisallowed"),
        **_all(403, "config", "BadCertificate", "BadCertificateEnvironment", "Forbidden", "InvalidProviderToken"),
        **_all(403, "config", "MissingProviderToken", "UnrelatedKeyIdInToken", "BadEnvironmentKeyIdInToken"),
        **_all(403, "config", "BadEnvironmentKeyInToken"),
        (403, "ExpiredProviderToken"): "unauthorized",
        (404, "BadPath"): "config",
        (405, "MethodNotAllowed"): "config",
        (400, "IdleTimeout"): "transient",
        (429, "TooManyRequests"): "recipient_throttled",
        (429, "TooManyProviderTokenUpdates"): "throttled",
        (500, "InternalServerError"): "server_error",
        **_all(503, "server_error", "ServiceUnavailable", "Shutdown"),
    },
}


@pytest.mark.parametrize(
    ("kind", "status", "text", "meaning"),
    [(kind, *answer, meaning) for kind, meanings in DOCUMENTED.items() for answer, meaning in meanings.items()],
)
def test_what_is_documented_stands_as_a_pair(kind: str, status: int, text: str, meaning: str) -> None:
    pairs = json.loads((folder_of(kind) / "answers.json").read_text())
    outcomes = [pair["outcome"] for pair in pairs if pair["status"] == status and text in json.dumps(pair["body"])]
    found = {one.get("error_class") or one.get("reason") or one["is"] for one in outcomes}
    assert meaning in found, f"{kind} answers {status} with {text!r}"
