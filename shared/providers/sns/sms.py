"""AWS SNS, SMS: one number a request. https://docs.aws.amazon.com/sns/latest/dg/sms_publish-to-phone.html"""

from __future__ import annotations

from shared.providers.provider import Capabilities, HttpAnswer, HttpRequest, Message, Outcome, Verification
from shared.providers.silent import finding as finding
from shared.providers.silent import question as question
from shared.providers.sns import answers
from shared.providers.sns.account import OFFICIAL_HOSTS, Account, attribute_parameters
from shared.providers.sns.account import account as account
from shared.providers.sns.account import problems as problems
from shared.providers.sns.callbacks import CALLBACK_REPLY as CALLBACK_REPLY
from shared.providers.sns.callbacks import is_genuine as is_genuine
from shared.providers.sns.callbacks import read_callback as read_callback
from shared.providers.standing import authorize as authorize

CAPABILITIES = Capabilities(
    channel="sms",
    provider_type="aws_sns",
    official_hosts=OFFICIAL_HOSTS,
    batch_max=1,
    in_flight_max=100,
    receipts="log",
    resend_is_safe=False,
    can_be_asked=False,
    price="receipt",
    echoes_reference=False,
)


def request(account: Account, message: Message) -> HttpRequest:
    """Transactional messages are delivered with priority, and cost more in some countries."""
    attributes = {"AWS.SNS.SMS.SMSType": ("String", "Transactional" if message.urgent else "Promotional")}
    if account.sender_id:
        attributes["AWS.SNS.SMS.SenderID"] = ("String", account.sender_id)
    if account.origination_number:
        attributes["AWS.MM.SMS.OriginationNumber"] = ("String", account.origination_number)
    for name, value in account.attributes:
        attributes[name] = ("Number" if name.endswith("MaxPrice") else "String", value)
    return account.request(
        "Publish",
        ("PhoneNumber", message.address),
        ("Message", message.text),
        *attribute_parameters(attributes),
    )


def outcome(_account: Account, _message: Message, answer: HttpAnswer) -> Outcome:
    """SNS takes messages to bad numbers, too; the log tells."""
    return answers.published(answer)


def verification(account: Account) -> HttpRequest:
    """Reads the account's settings for SMS."""
    return account.request("GetSMSAttributes")


def verified(_account: Account, answer: HttpAnswer) -> Verification:
    """See `Vendor.verified`."""
    return answers.verified(answer)
