"""Logs of AWS SNS as Amazon Data Firehose delivers them, with the account's secret."""

from tests.providers.genuine.firehose import callback

__all__ = ["callback"]
