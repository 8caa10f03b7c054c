"""StartSyncExecution for one workflow as a user would write it on aiohttp: ``python api_by_hand.py``, prints its port, serves until killed."""
import asyncio
import math
import time
import uuid

import orjson
import uvloop
from aiohttp import web
from work import by_hand

ACCOUNT = "arn:aws:states:us-east-1:000000000000"


async def start_sync_execution(request: web.Request) -> web.Response:
    asked = orjson.loads(await request.read())
    name = asked.get("name") or str(uuid.uuid4())
    started = time.time()
    output = by_hand(asked["input"].encode())
    stopped = time.time()
    answer = {
        "executionArn": f"{ACCOUNT}:express:orders:{name}:{uuid.uuid4()}",
        "stateMachineArn": asked["stateMachineArn"],
        "name": name,
        "startDate": started,
        "stopDate": stopped,
        "status": "SUCCEEDED",
        "input": asked["input"],
        "inputDetails": {"included": True},
        "output": output.decode(),
        "outputDetails": {"included": True},
        "billingDetails": {"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": math.ceil((stopped - started) * 10) * 100},
    }
    return web.Response(
        body=orjson.dumps(answer), content_type="application/x-amz-json-1.0", headers={"x-amzn-RequestId": str(uuid.uuid4())}
    )


async def main() -> None:
    app = web.Application()
    app.router.add_post("/", start_sync_execution)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(main())
