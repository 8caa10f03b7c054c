"""What an execution costs while it is parked in Wait: ``python bench/parked.py [COUNT]``.

The event (about 300 bytes as JSON, decoded) and its record are included. Fails over 5 KB each, by what the process grows (RSS) and by what
Python allocates (tracemalloc).
"""

from __future__ import annotations

import asyncio
import gc
import resource
import subprocess
import sys
import time
import tracemalloc
from dataclasses import dataclass

import orjson
import uvloop

import express
from express.clock import REAL
from express.executor import Executor
from express.outcome import Outcome
from express.runtime.context import Execution
from express.runtime.values import loads
from express.worker import GC_THRESHOLDS

LIMIT = 5_000  # bytes each
SECONDS = {"RSS": 40, "tracemalloc": 250}  # of Wait for 100,000: long enough to start them all, which tracing slows down


def definition(seconds: int) -> dict[str, object]:
    return {
        "StartAt": "Settle",
        "States": {
            "Settle": {"Type": "Wait", "Seconds": seconds, "Next": "Settled"},
            "Settled": {"Type": "Pass", "Result": True, "ResultPath": "$.settled", "End": True},
        },
    }


@dataclass(slots=True)
class Record:
    """As a source delivers it."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    timestamp: int


def record(number: int) -> Record:
    order = {
        "orderId": f"o-{number:08d}",
        "customer": {"id": number % 9_973, "tier": ("gold", "silver", "bronze")[number % 3], "email": f"user{number}@example.com"},
        "items": [{"sku": f"SKU-{number * 7 % 10**5:05d}", "qty": number % 9, "price": number % 999 / 10} for _ in range(2)],
        "total": number % 5_000 / 10,
        "currency": "EUR",
        "ts": 1_790_000_000_000 + number,
        "channel": ("web", "app", "store")[number % 3],
        "flags": {"gift": bool(number & 1), "first": number % 7 == 0},
    }
    # Copied: orjson's own bytes are cut from a larger block, a consumer's are not
    value = bytes(memoryview(orjson.dumps(order)))
    return Record("orders", number % 12, number, b"c%d" % number, value, (), 1_790_000_000_000 + number)


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


async def park(count: int, how: str) -> None:
    program = express.compile(definition(max(3, SECONDS[how] * count // 100_000)), name="parked")
    gc.set_threshold(*GC_THRESHOLDS)  # as `express run` does
    executor = Executor()
    outcomes: dict[str, int] = {}
    wrong = 0

    def done(execution: Execution, outcome: Outcome) -> None:
        nonlocal wrong
        outcomes[outcome.status] = outcomes.get(outcome.status, 0) + 1
        wrong += outcome.output != {**orjson.loads(execution.message.value), "settled": True}  # type: ignore[union-attr, arg-type]

    async def start(first: int, count: int) -> float:
        spent = 0.0
        for number in range(first, first + count):
            message = record(number)
            began = time.perf_counter()
            event = loads(message.value)
            now = REAL.time()
            executor.start(program, event, Execution(program, event, now, now + 300, message, "kafka"), done)
            spent += time.perf_counter() - began
            if number % 1_000 == 0:
                await asyncio.sleep(0)
        return spent

    await start(count, 100)  # what is made once
    gc.collect()
    if how == "tracemalloc":
        tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0] if how == "tracemalloc" else resident()
    spent = await start(0, count)
    assert executor.parked == count + 100, executor.parked
    gc.collect()
    each = ((tracemalloc.get_traced_memory()[0] if how == "tracemalloc" else resident()) - before) / count
    print(f"{how:12} {each:8,.0f} bytes each, {len(record(1).value)} of them JSON; {spent / count * 1e6:.1f} us to decode and start")
    if how == "RSS":
        began = time.perf_counter()
        while executor.parked:
            await asyncio.sleep(0.2)
        assert (outcomes, wrong) == ({"SUCCEEDED": count + 100}, 0), (outcomes, wrong)
        entered = program.metrics.entered[0] if program.metrics is not None else 0
        assert entered == count + 100, entered
        print(f"{'all ended':12} after {time.perf_counter() - began:.1f} s, every output and counter right")
    await executor.close()
    if each > LIMIT:
        sys.exit(f"{how}: {each:,.0f} bytes each, expected at most {LIMIT:,}")


def main() -> None:
    count = sys.argv[1] if len(sys.argv) > 1 else "100000"
    print(f"{int(count):,} executions parked in Wait")
    for how in ("RSS", "tracemalloc"):  # each in a process of its own
        subprocess.run([sys.executable, __file__, count, how], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        uvloop.run(park(int(sys.argv[1]), sys.argv[2]))
    else:
        main()
