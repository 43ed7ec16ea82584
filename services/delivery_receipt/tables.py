"""The columns of `callbacks` that hold a callback, named as its fields, with their types."""

CALLBACKS = {
    "provider": "text",
    "channel": "text",
    "account_id": "uuid",
    "user_id": "text",
    "received_at": "timestamptz",
    "target": "text",
    "headers": "bytea",
    "body": "bytea",
}
