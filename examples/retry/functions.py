"""Two providers of weather: what they answer depends on the place only, so that every run is the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import express

asked: Counter[str] = Counter()


@express.function("first_provider")
async def first_provider(event: dict[str, Any]) -> dict[str, Any]:
    place = event["place"]
    asked[place] += 1
    if place == "Busytown" and asked[place] == 1:
        raise express.TaskError("Provider.Busy", "429")
    if place == "Slowville" and asked[place] == 1:
        await asyncio.sleep(60)
    if place in ("Downton", "Nowhere"):
        raise ConnectionRefusedError("nobody listens")
    if place == "Atlantis":
        raise express.TaskError("Provider.UnknownPlace", place)
    return {"celsius": len(place), "from": "first"}


@express.function("second_provider")
async def second_provider(event: dict[str, Any]) -> dict[str, Any]:
    if event["place"] == "Nowhere":
        raise ConnectionRefusedError("nobody listens")
    return {"celsius": len(event["place"]) - 1, "from": "second"}
