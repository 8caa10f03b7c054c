"""A catalogue of goods."""

from __future__ import annotations

from typing import Any

import express

PRICES = {"pencil": 1.2, "paper": 4.5, "chair": 180.0, "desk": 420.0}


@express.function("price", concurrency=8)
def price(event: dict[str, Any]) -> dict[str, Any]:
    if event["sku"] not in PRICES:
        raise express.TaskError("Catalogue.OutOfStock", f"there is no {event['sku']} in {event['country']}")
    return {"price": PRICES[event["sku"]]}
