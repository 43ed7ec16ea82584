"""AWS SNS, by SMS and as a push to a platform endpoint.

Nothing of ours is echoed and nobody calls by itself: what became of a message stands in CloudWatch Logs, which are
ingested, and in messages that SNS posts for topics.
"""
