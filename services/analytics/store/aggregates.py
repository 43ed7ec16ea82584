"""The sums that are kept of the log, and the one way in which they are counted.

Everything that is counted is a *move*: an event counts itself and its cost, a repricing takes the cost that was
counted before and adds the right one. Sums of moves do not depend on their order, so what one statement counts live,
a replay counts again, and both may go on at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass

_EVENT_MOVES = """
    SELECT user_id, campaign_id, campaign_type, event_type, date_trunc('minute', event_timestamp) AS minute,
           metadata->>'lane' AS lane, coalesce(metadata->>'error_class', '') AS error_class,
           coalesce(metadata->>'code', '') AS code, metadata->>'currency' AS currency,
           (metadata->>'cost_micros')::bigint AS cost_micros, 1 AS events
    FROM {source}
    """
"""The moves of a relation with the columns of `notification_events`."""

_REPRICING_MOVES = """
    SELECT user_id, campaign_id, campaign_type, NULL AS event_type, NULL::timestamptz AS minute, NULL AS lane,
           NULL AS error_class, NULL AS code, move.currency, move.micros AS cost_micros, 0 AS events
    FROM {source},
         LATERAL (VALUES (currency, cost_micros), (before_currency, -before_cost_micros)) move (currency, micros)
    """
"""The moves of a relation with the columns of `repricings`."""


_TOGETHER = "user_id, campaign_id, campaign_type, event_type, minute, lane, error_class, code, currency"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A table of the sums of `value` by `keys`, over the moves of which `wanted` is true.

    Its column `closed` is the part of the sum that comes from months whose events are gone.
    """

    table: str
    keys: tuple[str, ...]
    value: str
    wanted: str

    def counting(self, prefix: str = "") -> str:
        """The common table expression that adds the moves to the table of this name after `prefix`.

        Rows are locked in order of their keys, so that statements that count at the same time cannot deadlock.
        """
        keys = ", ".join(self.keys)
        return f"""
        {self.table}_counted AS (
            INSERT INTO {prefix}{self.table} AS kept ({keys}, {self.value})
            SELECT {keys}, sum({self.value})::bigint FROM moves WHERE {self.wanted} GROUP BY {keys} ORDER BY {keys}
            ON CONFLICT ({keys}) DO UPDATE SET {self.value} = kept.{self.value} + excluded.{self.value}
        )"""  # noqa: S608


_IS_EVENT = "event_type IS NOT NULL"
_IS_COST = "currency IS NOT NULL AND cost_micros IS NOT NULL"
_IN_BULK = "lane IS DISTINCT FROM 'transactional'"
"""Nobody looks at the course of a single message, and there are as many of those as send requests."""

AGGREGATES = (
    Aggregate("tenant_totals", ("user_id", "campaign_type", "event_type"), "events", _IS_EVENT),
    Aggregate("tenant_costs", ("user_id", "campaign_type", "currency"), "cost_micros", _IS_COST),
    Aggregate("campaign_totals", ("user_id", "campaign_id", "event_type"), "events", _IS_EVENT),
    Aggregate("campaign_costs", ("user_id", "campaign_id", "currency"), "cost_micros", _IS_COST),
    Aggregate(
        "campaign_minutes", ("user_id", "campaign_id", "minute", "event_type"), "events", f"{_IS_EVENT} AND {_IN_BULK}"
    ),
    Aggregate(
        "campaign_failures",
        ("user_id", "campaign_id", "error_class", "code"),
        "events",
        f"event_type IN ('failed', 'bounced') AND {_IN_BULK}",
    ),
)


def counting(events: str | None, repricings: str | None, prefix: str = "") -> str:
    """The expressions that add the moves of these relations to all aggregates (or their namesakes after `prefix`).

    Moves that go to the same sums are added up first, once for all aggregates.
    """
    parts = [_EVENT_MOVES.format(source=events)] * bool(events)
    parts += [_REPRICING_MOVES.format(source=repricings)] * bool(repricings)
    moves = f"""
        moves AS MATERIALIZED (
            SELECT {_TOGETHER}, sum(events)::bigint AS events, sum(cost_micros)::bigint AS cost_micros
            FROM ({" UNION ALL ".join(parts)}) single GROUP BY {_TOGETHER}
        )"""  # noqa: S608
    return ",".join([moves, *(aggregate.counting(prefix) for aggregate in AGGREGATES)])
