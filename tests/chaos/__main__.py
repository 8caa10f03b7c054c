"""``python -m tests.chaos --kills 20``: kills under load on a broker of its own, and the record of what the ledger says."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

import msgspec

from tests.brokers.kafka_bed import Kafka
from tests.brokers.plugin import chosen
from tests.chaos.scenario import Settings, kills


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--production", action="store_true", help="session 30 s, drain 20 s, 500 in flight")
    parser.add_argument("--rate", type=float, default=None, help="events a second")
    chosen_options = parser.parse_args()
    kind, description = chosen()
    if kind == "mock":
        print(f"a group needs a real broker, there is {description}", file=sys.stderr)
        return 69
    settings = Settings(session=30.0, drain=20.0, in_flight=500, rate=1000.0, seconds=0.3) if chosen_options.production else Settings()
    if chosen_options.rate:
        settings = msgspec.structs.replace(settings, rate=chosen_options.rate)
    print(f"{description}; {settings}")
    kafka = Kafka.open(kind, os.environ.get("EXPRESS_TEST_KAFKA", ""))
    try:
        began = time.monotonic()
        verdict = kills(kafka, chosen_options.kills, settings)
    finally:
        kafka.close()
    record = msgspec.to_builtins(verdict)
    faults, violations = record.pop("faults"), record.pop("violations")
    for number, fault in enumerate(faults, 1):
        budget = f"{settings.in_flight} + {fault['completed']}"
        print(f"{number:3}: {fault['unfinished']:4} unfinished, {fault['duplicates']:4} duplicates, budget {budget}")
    print(json.dumps({**record, "kills": len(faults), "seconds": round(time.monotonic() - began)}))
    print(*violations[:50], sep="\n")
    print(f"{len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
