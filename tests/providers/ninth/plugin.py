"""The line in the registry, for one run of the conformance suite."""

from types import MappingProxyType

from shared.providers import registry
from tests.providers.ninth import plivo

registry.VENDORS = MappingProxyType({**registry.VENDORS, ("sms", "plivo"): plivo})
