"""What alerts.asl.json must make of an event, said once more in plain Python, from the README's words and not from the definition."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

EVENTS = Path(__file__).parents[2] / "examples" / "earthquakes" / "data" / "events.jsonl"

BULLETIN_FROM, MODERATE_FROM, SEVERE_FROM, SHALLOW_TO = 2.5, 4, 5, 70
READABLE = {"dyfi", "losspager", "shakemap", "moment-tensor", "impact-link", "scitech-link"}
DIRECTIONS = {"N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"}
SHORT = {"CA": "California", "NV": "Nevada", "MX": "Mexico"}


class Result(NamedTuple):
    output: dict[str, Any]


class Dead(NamedTuple):
    error: str
    state: str
    cause: str


def expected(event: dict[str, Any]) -> Result | Dead:
    properties, identifier, depth = event["properties"], event["id"], event["geometry"]["coordinates"][2]
    magnitude, place = properties["mag"], properties["place"]
    if properties["type"] != "earthquake":
        return Result({"id": identifier, "severity": "none", "kind": properties["type"]})
    if properties["rms"] is None:
        return Dead(
            "Unlocated",
            "Unlocated",
            f"{identifier} ({properties['title']}) has no magnitude, depth or residual: its location never converged",
        )
    region, distance = where(place)
    products = [product_of(identifier, name) for name in properties["types"].split(",") if name]
    if magnitude < BULLETIN_FROM:
        return Result({"id": identifier, "severity": "micro", "magnitude": magnitude, "region": region, "products": products})
    if properties["status"] == "automatic":
        cause = f"{identifier}, magnitude {magnitude}, was located automatically and not reviewed yet"
        return Dead("NotReviewed", "NotReviewed", cause)
    if magnitude >= SEVERE_FROM:
        severity = "severe"
    else:
        severity = "moderate" if magnitude >= MODERATE_FROM and depth <= SHALLOW_TO else "light"
    if properties["dmin"] is None:
        impact: dict[str, Any] = {"intensity": None, "because": "NoNearbyStation"}
    else:
        away = math.sqrt(max(depth, 1) ** 2 + distance**2)
        intensity = 1.7 + 1.5 * magnitude - 3.2 * math.log10(away) - 0.0013 * away
        impact = {"intensity": round(max(1.0, intensity), 1)}
    if region.split()[-1] in ("Sea", "Ridge"):
        notified = {"paged": "headquarters", "bulletin": f"M {magnitude} - {place}"}
    else:
        notified = {"paged": f"on call, {region}", "bulletin": f"M {magnitude:.1f} ({severity}) - {place}"}
    return Result(
        {
            "id": identifier,
            "severity": severity,
            "magnitude": magnitude,
            "region": region,
            "products": products,
            "impact": impact,
            "notified": notified,
        }
    )


def where(place: str) -> tuple[str, int]:
    """Region and distance to the town in km: ``8km SW of Ocotillo, CA`` or just the name of a sea."""
    before, of, after = place.partition(" of ")
    words = before.replace("km", " ").split()
    if not of or len(words) != 2 or not words[0].isdigit() or words[1] not in DIRECTIONS:
        return place, 0
    region = after.split(", ", 1)[-1]
    return SHORT.get(region, region), int(words[0])


def product_of(identifier: str, name: str) -> dict[str, str]:
    if name in READABLE:
        return {"product": name, "url": f"https://earthquake.usgs.gov/earthquakes/eventpage/{identifier}/{name}"}
    return {"product": name}


def finds_the_gazetteer_busy(event: dict[str, Any]) -> bool:
    """Whether the event's first call of the gazetteer fails."""
    return event["properties"]["type"] == "earthquake" and event["properties"]["rms"] is not None and crc32(event["id"].encode()) % 40 == 0


def expected_of_all() -> list[Result | Dead]:
    return [expected(json.loads(line)) for line in EVENTS.read_bytes().splitlines()]
