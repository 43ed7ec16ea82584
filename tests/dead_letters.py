"""Records that no consumer can take, put in the way of one."""

from __future__ import annotations

from aiokafka import AIOKafkaProducer

from contracts.topics import SEND_REQUESTS
from shared.dead_letters import DeadLetter, find_dead_letters
from tests.waiting import until

WAIT_SECONDS = 30.0


async def put_aside(kafka: str, user_id: str, value: bytes) -> str:
    """The id of the dead letter that such a request to send becomes."""
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(SEND_REQUESTS.name, value, key=user_id.encode())
    return await waiting_letter(kafka, value)


async def waiting_letter(kafka: str, value: bytes, other_than: str = "") -> str:
    """The id of the letter with this value, once it waits."""
    found: list[DeadLetter] = []

    async def is_there() -> bool:
        found[:] = [
            one for one in (await find_dead_letters(kafka)).letters if one.value == value and one.id != other_than
        ]
        return bool(found)

    await until(is_there, WAIT_SECONDS)
    return found[0].id
