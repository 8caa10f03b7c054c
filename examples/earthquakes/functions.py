"""The functions that alerts.asl.json names, one in each mode. They answer the same for the same event, failures included."""

from __future__ import annotations

import asyncio
import math
import re
from typing import Any
from zlib import crc32

import express

PLACE = re.compile(r"(?P<distance>\d+)\s?km (?P<direction>[NSEW]{1,3}) of (?P<town>[^,]+)(, (?P<region>.+))?")
REGIONS = {"CA": "California", "NV": "Nevada", "MX": "Mexico"}  # as some networks abbreviate them


class NoNearbyStation(Exception):  # noqa: N818 - its name is the error's name in the definition
    """Nothing was recorded close enough to say what people felt."""


@express.function("locate")
async def locate(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Where an event is, in words, from a gazetteer somewhere on the network. One event in forty finds it busy at first."""
    await asyncio.sleep(0.005)
    if context.attempt == FIRST_ATTEMPT and one_in(40, event["id"]):
        raise express.TaskError("Gazetteer.Busy", "429: come back in a second")
    near = PLACE.fullmatch(event["place"])
    if near is None:
        return {"region": event["place"], "town": None, "distance": 0}
    region = near["region"] or near["town"]
    return {"region": REGIONS.get(region, region), "town": near["town"], "distance": int(near["distance"])}


@express.function("link", run="inline")
def link(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A product that people read, with the address where it is shown."""
    return {"product": event["product"], "url": f"https://earthquake.usgs.gov/earthquakes/eventpage/{event['id']}/{event['product']}"}


@express.function("draw_rings", run="process")
def draw_rings(event: dict[str, Any], context: Any) -> list[dict[str, Any]]:
    """How far from the epicentre, in km, each intensity is reached."""
    rings = []
    for intensity in range(3, 8):
        reach = next((km for km in range(1000, 0, -1) if shaking(event["magnitude"], event["depth"], km) >= intensity), 0)
        rings.append({"intensity": intensity, "km": reach})
    return rings


@express.function("estimate_impact", run="thread")
def estimate_impact(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The intensity in the nearest town. Without a station nearby nobody can say."""
    if event["station"] is None:
        raise NoNearbyStation("no station reported its distance")
    return {"intensity": round(shaking(event["magnitude"], event["depth"], event["distance"]), 1)}


@express.function("page")
async def page(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Pages the region's seismologist. Nobody watches a sea; one call in fifty needs a second try."""
    await asyncio.sleep(0.002)
    if event["region"].endswith((" Sea", " Ridge")):
        raise express.TaskError("Pager.NobodyOnDuty", f"no rota for {event['region']}")
    if context.attempt == FIRST_ATTEMPT and one_in(50, event["id"]):
        raise express.TaskError("Pager.Unavailable", "503 from the pager")
    return {"paged": f"on call, {event['region']}", "once": event["once"]}


@express.function("post_bulletin", run="inline")
def post_bulletin(event: dict[str, Any], context: Any) -> str:
    """The line that the public reads."""
    return f"M {event['magnitude']:.1f} ({event['severity']}) - {event['place']}"


FIRST_ATTEMPT = 1


def shaking(magnitude: float, depth: float, kilometres: float) -> float:
    """Modified Mercalli intensity by a plain attenuation law, from 1 up."""
    hypocentral = math.hypot(max(depth, 1.0), kilometres)
    return max(1.0, 1.7 + 1.5 * magnitude - 3.2 * math.log10(hypocentral) - 0.0013 * hypocentral)


def one_in(many: int, identifier: str) -> bool:
    """The same events every time: what fails is a property of the event, not of the run."""
    return crc32(identifier.encode()) % many == 0
