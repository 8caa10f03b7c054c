"""The numbers that bound a workflow, each with its source. Where AWS has the limit, it is AWS's."""

from __future__ import annotations

from typing import Final

# AWS, "Service quotas": input and output of a state, a task and an execution, as UTF-8 JSON
PAYLOAD: Final = 262_144
# AWS, "Passing data between states with variables": all variables of an execution together
VARIABLES: Final = 10 * 1_048_576
# AWS: an Express execution ends with States.Timeout after five minutes
EXECUTION_SECONDS: Final = 300
# AWS, StartExecution: the longest execution name
NAME_CHARACTERS: Final = 80

# AWS, "Intrinsic functions"
ARRAY_RANGE_ITEMS: Final = 1_000
BASE64_CHARACTERS: Final = 10_000
HASH_CHARACTERS: Final = 10_000
SMALLEST_INTEGER: Final = -(2**31)  # what MathAdd, MathRandom and ArrayRange take
LARGEST_INTEGER: Final = 2**31 - 1

# Ours. A loop or a Map lets others run, and looks at its deadline, after so many transitions: 1,000 of the cheapest are about 0.1 ms
TRANSITIONS_PER_BREATH: Final = 1_000
# Ours. JSON text that comes in from outside may nest so deep: every parser and printer behind us still has room
DEPTH: Final = 64
# orjson's. What a function returns may nest so deep: an event at DEPTH that a workflow has wrapped many times still passes
RESULT_DEPTH: Final = 254
# CPython refuses to print or read longer integers (sys.int_info.default_max_str_digits)
INTEGER_DIGITS: Final = 4_300
# Ours. Nodes that one evaluation of an indefinite path may visit: about 10 ms
PATH_STEPS: Final = 100_000
