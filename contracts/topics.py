"""The one table of topics."""

from __future__ import annotations

from dataclasses import dataclass

from contracts import events

_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Topic:
    """A Kafka topic. `retention_ms` None means compacted: the newest record of each key stays."""

    name: str
    owner: str
    key: str
    events: tuple[type[events.Event], ...]
    purpose: str
    partitions: int = 4
    retention_ms: int | None = 7 * _DAY_MS
    public: bool = False


SEND_REQUESTS = Topic(
    "send-requests",
    "internal services and gateway",
    "user id",
    (events.SendRequested,),
    "Requests to send one message, from any internal service.",
    public=True,
)
CAMPAIGN_LIFECYCLE = Topic(
    "campaign-lifecycle",
    "campaign",
    "campaign id",
    (events.CampaignLaunched, events.CampaignPaused, events.CampaignResumed, events.CampaignCancelled),
    "Start, pause, resume and cancel.",
    retention_ms=30 * _DAY_MS,
)
CAMPAIGN_CHANGES = Topic(
    "campaign-changes",
    "campaign",
    "campaign id",
    (events.CampaignChanged,),
    "The current state of every campaign, for read models.",
    retention_ms=None,
)
TEMPLATE_CHANGES = Topic(
    "template-changes",
    "campaign",
    "template id",
    (events.TemplateChanged,),
    "The current state of every template, for read models.",
    retention_ms=None,
)
LOTS = Topic(
    "lots",
    "audience",
    "lot id",
    (events.LotResolved,),
    "Recipients of campaigns, up to 500 a record.",
)
TRANSACTIONAL_LOTS = Topic(
    "transactional-lots",
    "audience",
    "lot id",
    (events.LotResolved,),
    "Recipients of send requests; apart from campaigns, so that those never delay them.",
)
AUDIENCE_RESOLVED = Topic(
    "audience-resolved",
    "audience",
    "campaign id",
    (events.AudienceResolved,),
    "Totals and exclusions of an expanded campaign.",
    retention_ms=30 * _DAY_MS,
)
PREFERENCE_CHANGES = Topic(
    "preference-changes",
    "audience",
    "user id",
    (events.PreferencesChanged,),
    "Opt-outs and opt-ins by address.",
    retention_ms=30 * _DAY_MS,
)
PROVIDER_CHANGES = Topic(
    "provider-changes",
    "dispatcher",
    "provider id",
    (events.ProviderChanged,),
    "The current state of every provider account, credentials sealed.",
    retention_ms=None,
)
NOTIFICATION_EVENTS = Topic(
    "notification-events",
    "dispatcher",
    "campaign id",
    (events.NotificationsRecorded,),
    "What happened to every recipient.",
    retention_ms=30 * _DAY_MS,
    public=True,
)
CAMPAIGN_PROGRESS = Topic(
    "campaign-progress",
    "dispatcher",
    "campaign id",
    (events.CampaignProgressed, events.CampaignHalted),
    "Where each campaign stands, at most about once a second, and that the dispatcher has stopped one.",
)
ADDRESS_VERDICTS = Topic(
    "address-verdicts",
    "dispatcher",
    "user id",
    (events.AddressesJudged,),
    "Dead addresses and opt-outs that only the provider knew of.",
    retention_ms=30 * _DAY_MS,
)
MESSAGE_REFERENCES = Topic(
    "message-references",
    "dispatcher",
    "user id",
    (events.MessagesReferenced,),
    "Providers' ids of messages whose receipts will name nothing else.",
    retention_ms=30 * _DAY_MS,
)
TRACKED_LINKS = Topic(
    "tracked-links",
    "dispatcher",
    "user id",
    (events.LinksTracked,),
    "Where the links lead whose clicks are counted.",
    retention_ms=30 * _DAY_MS,
)
RECEIPTS = Topic(
    "receipts",
    "delivery_receipt",
    "batch id",
    (events.ReceiptsRecorded,),
    "What providers and apps report about messages.",
)
INBOUND_MESSAGES = Topic(
    "inbound-messages",
    "delivery_receipt",
    "user id",
    (events.InboundMessageReceived,),
    "What customers wrote back.",
    retention_ms=30 * _DAY_MS,
)
DEAD_LETTERS = Topic(
    "dead-letters",
    "every consumer",
    "that of the record",
    (),
    "Records that a consumer could not take, with reason and original bytes.",
    retention_ms=90 * _DAY_MS,
)

TOPICS: tuple[Topic, ...] = (
    SEND_REQUESTS,
    CAMPAIGN_LIFECYCLE,
    CAMPAIGN_CHANGES,
    TEMPLATE_CHANGES,
    LOTS,
    TRANSACTIONAL_LOTS,
    AUDIENCE_RESOLVED,
    PREFERENCE_CHANGES,
    PROVIDER_CHANGES,
    NOTIFICATION_EVENTS,
    CAMPAIGN_PROGRESS,
    ADDRESS_VERDICTS,
    MESSAGE_REFERENCES,
    TRACKED_LINKS,
    RECEIPTS,
    INBOUND_MESSAGES,
    DEAD_LETTERS,
)
