"""Sends one text message: python send_request.py USER_ID REQUEST_ID PHONE_NUMBER TEXT"""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from uuid import uuid4

from aiokafka import AIOKafkaProducer


async def send_request(user_id: str, request_id: str, phone_number: str, text: str) -> None:
    request = {"type": "SendRequested", "eventId": str(uuid4()), "occurredAt": datetime.now(UTC).isoformat()}
    request |= {"userId": user_id, "requestId": request_id, "channel": "sms"}
    request |= {"address": phone_number, "content": {"body": text}}
    async with AIOKafkaProducer(bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"], acks="all") as producer:
        await producer.send_and_wait("send-requests", key=user_id.encode(), value=json.dumps(request).encode())


asyncio.run(send_request(*sys.argv[1:]))
