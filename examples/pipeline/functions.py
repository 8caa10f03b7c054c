"""Accounts in memory, and a mail that nobody sends."""

from __future__ import annotations

import hashlib
from typing import Any

import express

accounts: dict[str, dict[str, Any]] = {}


@express.function("create_account")
def create_account(event: dict[str, Any]) -> dict[str, Any]:
    number = hashlib.sha256(event["email"].encode()).hexdigest()[:8]
    accounts.setdefault(number, event)
    return {"account": number}


@express.function("welcome")
async def welcome(event: dict[str, Any]) -> str:
    return f"Welcome, {event['name']}! Your {event['plan']} account is {event['account']}."
