"""What the local fleet reports to the person at the keyboard."""

from __future__ import annotations


class FleetError(Exception):
    """The fleet cannot do what was asked; the text says why and what helps."""
