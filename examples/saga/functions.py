"""Three companies that take reservations, each with a ledger of its own. Some events meet a full flight, a full hotel or an empty card."""

from __future__ import annotations

from collections import Counter
from typing import Any

import express

flights: dict[str, str] = {}  # by journey
hotels: dict[str, str] = {}
charged: dict[str, int] = {}
tries: Counter[str] = Counter()


@express.function("reserve_flight")
def reserve_flight(event: dict[str, Any]) -> dict[str, Any]:
    """A journey that was reserved before is reserved already: an event may come again."""
    if event["flight"] == "full":
        raise express.TaskError("Airline.Full", "no seat is left")
    tries[event["journey"]] += 1
    if event["flight"] == "busy" and tries[event["journey"]] == 1:
        raise express.TaskError("Airline.Busy", "the airline asks to come back later")
    return {"reservation": flights.setdefault(event["journey"], f"F-{event['journey']}")}


@express.function("reserve_hotel")
def reserve_hotel(event: dict[str, Any]) -> dict[str, Any]:
    if event["hotel"] == "full":
        raise express.TaskError("Hotel.Full", "no room is left")
    reservation = hotels.setdefault(event["journey"], f"H-{event['journey']}")
    if event["hotel"] == "silent":  # reserved, but the answer is lost
        raise ConnectionError("the connection broke off")
    return {"reservation": reservation}


@express.function("charge")
def charge(event: dict[str, Any]) -> dict[str, Any]:
    if event["card"] == "empty":
        raise express.TaskError("Bank.Declined", "the card has no cover")
    charged[event["journey"]] = event["amount"]
    if event["card"] == "silent":  # charged, but the answer is lost: what is undone must not depend on it
        raise ConnectionError("the connection broke off")
    return {"receipt": f"R-{event['journey']}"}


@express.function("refund")
def refund(event: dict[str, Any]) -> None:
    charged.pop(event["journey"], None)


@express.function("release_hotel")
def release_hotel(event: dict[str, Any]) -> None:
    hotels.pop(event["journey"], None)


@express.function("release_flight")
def release_flight(event: dict[str, Any]) -> None:
    flights.pop(event["journey"], None)
