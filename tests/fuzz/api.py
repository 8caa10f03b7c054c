"""Requests that nobody should send: AWS's own model of the Step Functions API in, hostile bodies out, seeded; what an answer must be."""

from __future__ import annotations

import json
import random
from typing import Any, NamedTuple

import botocore.session

from tests.fuzz.hostile import definition

ACCOUNT = "arn:aws:states:us-east-1:000000000000"
LONGEST_WAIT = 1  # seconds that a state under TestState may wait

TEXTS = [
    "", " ", "a", "0", "null", "\x00", "\x7f", "a\nb", "é", "😀", "\ufffe", "<script>", "'; DROP TABLE machine; --", "../../etc/passwd",
    "%s%n",
    "${a}", "{% $ %}", "a" * 80, "a" * 81, "a" * 257, "a" * 2001, "{}", "[]", '{"a": 1}', "[" * 70, '"', "\\", "1e999", "NaN", "\u2028",
]  # fmt: skip
ARNS = [
    f"{ACCOUNT}:stateMachine:known", f"{ACCOUNT}:stateMachine:known:1", f"{ACCOUNT}:stateMachine:known:PROD",
    f"{ACCOUNT}:stateMachine:known:2147483648000000000000", f"{ACCOUNT}:stateMachine:known:", f"{ACCOUNT}:stateMachine:",
    f"{ACCOUNT}:stateMachine:nobody", f"{ACCOUNT}:stateMachine:known/label", f"{ACCOUNT}:express:known:a:b", f"{ACCOUNT}:execution:known:a",
    f"{ACCOUNT}:activity:a", "arn:aws:states", "arn:aws:sqs:us-east-1:0:queue:x", ":::::::", "arn:aws:states:::stateMachine:known",
]  # fmt: skip
NUMBERS = [0, 1, -1, 50, 100, 101, 1000, 1001, 2**31, 2**63, 2**70, -(2**70), 0.5, 1e308]
OTHERS: list[Any] = [None, True, False, [], {}, [None], {"a": None}, [[[[]]]], 0, "x"]

_session = botocore.session.Session()
MODEL = _session.get_service_model("stepfunctions")
OPERATIONS = sorted(MODEL.operation_names)
ELSEWHERE = {name for name in OPERATIONS if "Activit" in name or "MapRun" in name}


class Request(NamedTuple):
    operation: str
    body: bytes


def request(seed: int) -> Request:
    """Of the right shape, with values that are wrong: none, a few or many of them; sometimes no JSON at all."""
    maker = Maker(random.Random(seed))
    body = json.dumps(maker.body, ensure_ascii=maker.random.random() < 0.5).encode(errors="surrogatepass")
    if maker.random.random() < 0.1:
        body = _damaged(body, maker.random)
    return Request(maker.operation, body)


class Maker:
    """Makes one request. ``hostility`` is how often a value is not what it should be."""

    def __init__(self, random_: random.Random) -> None:
        self.random = random_
        self.hostility = random_.choice([0.0, 0.0, 0.05, 0.5])
        served = [name for name in OPERATIONS if name not in ELSEWHERE]
        self.operation = random_.choice(served if random_.random() < 0.95 else OPERATIONS)
        self.body = self._made(MODEL.operation_model(self.operation).input_shape, "")

    def _chance(self, of: float) -> bool:
        return self.random.random() < of

    def _made(self, shape: Any, name: str) -> Any:
        if self._chance(self.hostility / 5):
            return self.random.choice(OTHERS)
        kind = shape.type_name
        if kind == "structure":
            members = {
                member: self._made(inner, member)
                for member, inner in shape.members.items()
                if self._chance(
                    1 - self.hostility / 4 if member in shape.required_members else self.hostility if "Token" in member else 0.3
                )
            }
            if self._chance(self.hostility / 3):
                members[self.random.choice(TEXTS)] = self.random.choice(OTHERS)
            return members
        if kind == "list":
            count = self.random.choice([0, 1, 2, 3, 51] if self._chance(self.hostility) else [1])
            return [self._made(shape.member, name) for _ in range(count)]
        if kind == "boolean":
            return self._chance(0.5)
        if kind in ("integer", "long", "float"):
            return self.random.choice(NUMBERS) if self._chance(self.hostility) else min(100, shape.metadata.get("max", 100))
        return self._text(shape, name)

    def _text(self, shape: Any, name: str) -> str:
        if self._chance(self.hostility):
            return self.random.choice([*TEXTS, *ARNS])
        if "enum" in shape.metadata:
            return "EXPRESS" if name == "type" else str(self.random.choice(shape.metadata["enum"]))
        if name == "definition":
            return self._definition()
        if name.endswith("Arn") and name != "roleArn":
            suffix = ":1" if "Version" in name else ":PROD" if "Alias" in name else ""
            return f"{ACCOUNT}:stateMachine:known{suffix}" if self._chance(0.8) else self.random.choice(ARNS)
        if name in ("input", "output", "result", "variables", "context"):
            return json.dumps(self.random.choice([*OTHERS, {"n": 1}, {"n": 1}]))
        if name in ("name", "stateName"):
            return self.random.choice(["known", "other", "PROD", "a-b"])
        return self.random.choice(["a", "b"])

    def _definition(self) -> str:
        if self.operation == "TestState":
            wait = {"Type": "Wait", "Seconds": LONGEST_WAIT, "End": True}
            return json.dumps(self.random.choice([{"Type": "Pass", "End": True}, wait, {"Type": "Succeed"}, {"Type": "Fail"}, {}]))
        if self._chance(0.5):
            return json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": self.random.choice(OTHERS), "End": True}}})
        # Somebody would have to wait for those when they are run
        return json.dumps(definition(self.random.getrandbits(30))).replace('"Wait"', '"Pass"')


def _damaged(body: bytes, random_: random.Random) -> bytes:
    where = random_.randrange(len(body) + 1)
    match random_.randrange(5):
        case 0:
            return body[:where]
        case 1:
            return body[:where] + bytes([random_.randrange(256)]) + body[where:]
        case 2:
            return body[:where] + b"\\ud800" + body[where:]
        case 3:
            return b"[" * 10_000 + body
        case _:
            return random_.randbytes(where)


def wrong(status: int, answer: Any) -> str | None:
    """What is wrong with an answer, None if nothing is: 200 with a structure, or 4xx with a code and a sentence."""
    if status == 200:
        return None if isinstance(answer, dict) else f"200 with {answer!r}"
    if not 400 <= status < 500:
        return f"status {status}: {answer!r}"
    if not isinstance(answer, dict) or not answer.get("__type") or not isinstance(answer.get("message"), str):
        return f"{status} without a code and a sentence: {answer!r}"
    if "Traceback" in answer["message"] or "object at 0x" in answer["message"]:
        return f"{status} with a traceback: {answer['message']}"
    return None
