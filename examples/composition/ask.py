"""StartSyncExecution over plain HTTP, for each line of events.jsonl: ``python ask.py [URL]``. An SDK does the same, with a signature."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROLE = "arn:aws:iam::123456789012:role/express"


def call(url: str, operation: str, body: dict[str, Any]) -> dict[str, Any]:
    """One request in AWS's JSON 1.0 protocol."""
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AWSStepFunctions.{operation}"}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def ask(url: str) -> list[dict[str, Any]]:
    """What became of each event."""
    definition = (HERE / "quote.asl.json").read_text()
    machine = call(url, "CreateStateMachine", {"name": "quote", "definition": definition, "roleArn": ROLE, "type": "EXPRESS"})
    events = (HERE / "events.jsonl").read_text().splitlines()
    return [call(url, "StartSyncExecution", {"stateMachineArn": machine["stateMachineArn"], "input": event}) for event in events]


if __name__ == "__main__":
    for answer in ask(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8083/"):
        print(answer["status"], answer.get("output") or f"{answer['error']}: {answer.get('cause')}")
