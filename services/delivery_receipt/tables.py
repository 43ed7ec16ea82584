"""The tables' columns in the order in which rows are copied, with their types."""

CALLBACKS = {
    "batch_id": "uuid",
    "number": "int2",
    "provider": "text",
    "channel": "text",
    "account_id": "uuid",
    "user_id": "text",
    "received_at": "timestamptz",
    "target": "text",
    "headers": "bytea",
    "body": "bytea",
}
