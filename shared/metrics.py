"""Metrics of the shared machinery. Labels are bounded: never a tenant, a campaign or an address."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

OUTBOX_OLDEST_AGE = Gauge(
    "outbox_oldest_age_seconds", "Age of the oldest unpublished record. Above a few seconds Kafka is unwell."
)
OUTBOX_PENDING = Gauge(
    "outbox_pending_records", "Records not yet published. A rising line means that Kafka cannot keep up."
)
KAFKA_RECORDS = Counter(
    "kafka_records_total",
    "Records consumed by topic and result (done, rejected). Rejected ones are in the dead letters.",
    ["topic", "result"],
)
KAFKA_RETRIES = Counter(
    "kafka_batch_retries_total",
    "Batches tried again because the world was unwell. Look at PostgreSQL first.",
    ["topic"],
)
KAFKA_LAG = Gauge(
    "kafka_consumer_lag_records", "Records waiting in the partitions assigned to this process.", ["topic"]
)
DEAD_LETTERS = Counter(
    "dead_letters_total", "Records put aside with their reason. Inspect them with notify dead-letters list.", ["topic"]
)
