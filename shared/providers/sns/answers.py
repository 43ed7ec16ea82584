"""What SNS answers, and what its errors mean.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

import html
import re

from shared.providers.provider import Accepted, Deferred, HttpAnswer, Outcome, Refused, Unknown, Verification

_THROTTLED_SECONDS = 1.0

_THROTTLED = frozenset(
    {
        *("Throttled", "ThrottledException", "Throttling", "ThrottlingException", "RequestThrottled"),
        *("RequestThrottledException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown"),
        *("KMSThrottling", "KMSThrottlingException"),
    }
)
_CONFIG = frozenset(
    {
        *("AuthorizationError", "InvalidSecurity", "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken"),
        *("ExpiredTokenException", "AccessDenied", "AccessDeniedException", "IncompleteSignature", "InvalidAction"),
        *("MissingAuthenticationToken", "MissingAuthenticationTokenException", "UnrecognizedClientException"),
        *("OptInRequired", "PlatformApplicationDisabled", "UserError", "VerificationException", "RequestExpired"),
    }
)
_INVALID = frozenset(
    {
        *("InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationError"),
        "ValidationException",
    }
)
_OPTED_OUT = frozenset({"OptedOut", "OptedOutException"})


def element(body: bytes, name: str) -> str:
    """The text of the first such element, "" without one.

    The answers are a few known elements, so no XML parser is let loose on what a stranger may say.
    """
    match = re.search(rf"<(?:\w+:)?{name}(?:\s[^<>]*)?>([^<]{{0,8192}})</", body.decode("utf-8", "replace"))
    return html.unescape(match[1]).strip() if match else ""


def published(answer: HttpAnswer) -> Outcome:
    """What the answer to `Publish` means."""
    if answer.status < 300:
        message_id = element(answer.body, "MessageId")
        return Accepted(message_id) if message_id else Unknown("malformed")
    return problem_of(answer)


def problem_of(answer: HttpAnswer) -> Refused | Deferred | Unknown:
    """What an error means; the code decides, and where that is vague the text."""
    error, text = element(answer.body, "Code"), element(answer.body, "Message").lower()
    code = error or str(answer.status)
    if answer.status == 429 or error in _THROTTLED:
        return Deferred("throttled", answer.retry_after_seconds or _THROTTLED_SECONDS, code)
    if answer.status >= 500:
        return Unknown("server_error", code)
    if answer.status < 400:
        return Unknown("malformed", code)
    if error in _OPTED_OUT or (error in _INVALID and "opted out" in text):
        return Refused("recipient_opted_out", code)
    if error == "EndpointDisabled" or (error in _INVALID and "phonenumber" in text.replace(" ", "")):
        return Refused("recipient_permanent", code)
    if error in ("NotFound", "NotFoundException"):
        return Refused("recipient_permanent" if "endpoint" in text else "config", code)
    if error in _INVALID:
        return Refused("config" if "platformapplication" in text.replace(" ", "") else "content", code)
    if error in _CONFIG or error.startswith("KMS") or answer.status in (401, 403, 404):
        return Refused("config", code)
    return Refused("unknown", code)


def verified(answer: HttpAnswer) -> Verification:
    """What the answer to a harmless request says about the credentials."""
    if answer.status == 200:
        if re.search(rb"<key>Enabled</key>\s*<value>false</value>", answer.body):
            return Verification(works=False, detail="the platform application is disabled: renew its credentials")
        return Verification(works=b"Response" in answer.body, detail="AWS takes the access key")
    found = problem_of(answer)
    return Verification(works=False, detail=f"AWS answered {answer.status} {found.code}")
