"""The whole fleet on one machine, without containers: `python -m deploy.local up`."""
