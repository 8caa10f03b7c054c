"""Fills a Kafka topic with the example's events: python to_kafka.py localhost:9092

Makes the topics `earthquakes` (4 partitions), `earthquakes.alerts` and `earthquakes.dead` where they are missing, and sends every event
once, keyed by the network that reported it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

EVENTS = Path(__file__).with_name("data") / "events.jsonl"
TOPICS = {"earthquakes": 4, "earthquakes.alerts": 4, "earthquakes.dead": 1}


async def main(servers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        missing = TOPICS.keys() - set(await admin.list_topics())
        if missing:  # one copy is enough to try it out
            answer = await admin.create_topics([NewTopic(name, TOPICS[name], 1) for name in sorted(missing)])
            if problems := [str(problem) for problem in answer.topic_errors if problem[1]]:
                raise SystemExit(f"{servers} did not make the topics: {'; '.join(problems)}")
    finally:
        await admin.close()
    lines = EVENTS.read_bytes().splitlines()
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True, linger_ms=5) as producer:
        sent = [await producer.send("earthquakes", line, key=json.loads(line)["properties"]["net"].encode()) for line in lines]
        await asyncio.gather(*sent)
    print(f"{len(lines)} events are in the topic earthquakes at {servers}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "localhost:9092"))
