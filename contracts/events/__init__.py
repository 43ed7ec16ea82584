"""Every event that crosses Kafka. `EVENTS` maps the tag on the wire to its type."""

from contracts.events.audience import (
    AudienceResolved,
    LotResolved,
    OptOutChange,
    PreferencesChanged,
    Recipient,
)
from contracts.events.campaigns import (
    CampaignCancelled,
    CampaignChanged,
    CampaignLaunched,
    CampaignPaused,
    CampaignResumed,
    Content,
    TemplateChanged,
)
from contracts.events.delivery import (
    AddressesJudged,
    AddressVerdict,
    CampaignHalted,
    CampaignProgressed,
    LinksTracked,
    MessageReference,
    MessagesReferenced,
    NotificationEvent,
    NotificationsRecorded,
    ProviderChanged,
    Repricing,
    TrackedLink,
)
from contracts.events.event import Event
from contracts.events.receipts import InboundMessageReceived, Receipt, ReceiptsRecorded
from contracts.events.sending import SendRequested

EVENTS: dict[str, type[Event]] = {
    event.__name__: event
    for event in (
        AddressesJudged,
        AudienceResolved,
        CampaignCancelled,
        CampaignChanged,
        CampaignHalted,
        CampaignLaunched,
        CampaignPaused,
        CampaignProgressed,
        CampaignResumed,
        InboundMessageReceived,
        LinksTracked,
        LotResolved,
        MessagesReferenced,
        NotificationsRecorded,
        PreferencesChanged,
        ProviderChanged,
        ReceiptsRecorded,
        SendRequested,
        TemplateChanged,
    )
}

__all__ = [
    "EVENTS",
    "AddressVerdict",
    "AddressesJudged",
    "AudienceResolved",
    "CampaignCancelled",
    "CampaignChanged",
    "CampaignHalted",
    "CampaignLaunched",
    "CampaignPaused",
    "CampaignProgressed",
    "CampaignResumed",
    "Content",
    "Event",
    "InboundMessageReceived",
    "LinksTracked",
    "LotResolved",
    "MessageReference",
    "MessagesReferenced",
    "NotificationEvent",
    "NotificationsRecorded",
    "OptOutChange",
    "PreferencesChanged",
    "ProviderChanged",
    "Receipt",
    "ReceiptsRecorded",
    "Recipient",
    "Repricing",
    "SendRequested",
    "TemplateChanged",
    "TrackedLink",
]
