"""What a segment costs at the other vendors, roughly, until they state the price themselves."""

from alembic import op

revision = "dispatcher_0004"
down_revision = "dispatcher_0003"

TARIFFS = {
    ("aws_sns", "USD"): {"+": 60_000, "+1": 6_450, "+33": 67_600, "+44": 39_100, "+49": 88_200},
    ("nexmo", "EUR"): {"+": 60_000, "+1": 7_300, "+33": 62_000, "+44": 37_300, "+49": 72_600},
    ("sinch", "USD"): {"+": 60_000, "+1": 7_800, "+33": 62_300, "+44": 35_500, "+49": 81_300},
}
"""Millionths of the currency, by provider and prefix."""


def upgrade() -> None:
    rows = ", ".join(
        f"('sms', '{provider}', '{prefix}', {micros}, '{currency}')"
        for (provider, currency), prefixes in TARIFFS.items()
        for prefix, micros in prefixes.items()
    )
    op.execute(f"INSERT INTO tariffs (channel, provider_type, prefix, cost_micros, currency) VALUES {rows}")  # noqa: S608
