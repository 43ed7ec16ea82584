"""`make bench`: what a campaign costs."""
