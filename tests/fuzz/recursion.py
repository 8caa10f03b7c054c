"""``python -m tests.fuzz.recursion``: a seed in, an expression that calls itself, folds and nests out; it is evaluated, nothing dies.

What they build is deep, doubles, or is a function in a function in a function; what is done with it goes through all of it. Exit code 1
when one ends in anything but a value or a failure of a State, or takes this process longer than it may.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter

import express

PROCESSOR_SECONDS = 1.0  # of this process, for one expression
DECLARED = {"a value", "States.QueryEvaluationError", "States.DataLimitExceeded", "States.Runtime"}
INPUT = {"n": 1, "a": {"b": [1, 2]}}

# What is done with a value: it stands for §
WALKS = [
    "$string(§)", "§.**", "$count(§.**)", "§ = §", "$distinct([§, §, 1])", "$merge([§])", "$spread(§)",
    "$each(§, function($v){ $v })", "$sift(§, function($v){ true })", "(§ ~> |**|{'b': 1}|)", "(§ ~> |$|{'b': 1}|)",
    "$append(§, §)", "$reverse([§])", "$zip([§], [1])", "$lookup(§, 'a')", "$keys(§)", "$clone(§)", "$hash($string(§), 'MD5')",
    "$partition(§, 1)", "$shuffle([§, 1])", "§ in [§]", "$boolean(§)", "§[0]", "§[a]", "§.a", "§.*", "§{'k': $}", "§^(a)",
    "$single([§])", "$map([§], function($v){ $v })", "$filter([§], function($v){ $v = $v })", "§.a.%", "§@$q.a", "§ & ''",
    "$sum(§)", "$error(§)", "$reduce([§, §], function($p, $q){ $p = $q })", "$count($distinct($append([1..80], §)))", "§ < §",
    "$range(§, 1, 1)", "$replace(§, 'a', 'b')", "§",
]  # fmt: skip
# What a value is put into
WRAPS = [
    "[[§]]", "[§, 1]", "{'a': §}", "{'a': §, 'b': [§]}", "function(){ § }", "$append([], [[§]])", "$merge([{'a': §}])",
    "[[§], [§]]", "(§ ~> |$|{'a': §}|)", "{'a': function(){ § }}", "[function($z){ § }]", "$partition([§, §], 1)",
    "$zip([§], [§])", "$f(?, §)", "$map([§], function($v){ [[$v]] })", "§ & 'x'", "§ & §", "$string(§)",
]  # fmt: skip
# Where a function calls itself; AGAIN is that call
CALLS = [
    "AGAIN", "($y := AGAIN; $y)", "WRAPPED", "$map([1], function($i){ AGAIN })", "$reduce([1, 2], function($p, $q){ AGAIN })",
    "$sort([2, 1], function($p, $q){ $exists(AGAIN) })", "[1].(AGAIN)", "[{'q': 1}]{'a': AGAIN}", "[1..2][$exists(AGAIN)]",
    "$replace('a', /a/, function($m){ $string(AGAIN) })", "$each({'a': 1}, function($m){ AGAIN })",
    "($g := function($h){ AGAIN }; $g($f))", "$filter([1], function($i){ $exists(AGAIN) })", "AGAIN ~> $string ~> $length",
    "({'a': 1} ~> |$|{'a': AGAIN}|)", "[{'a': 1}, {'a': 2}]^($exists(AGAIN) ? 1 : 2)", "AGAIN + AGAIN",
    "$match('a', function($s){ AGAIN })", "($x ~> function($k){ AGAIN })", "1 + AGAIN",
]  # fmt: skip


def expression(seed: int) -> str:
    maker = random.Random(seed)
    wrap = maker.choice(WRAPS)
    for _ in range(maker.choice([0, 0, 1, 4])):
        wrap = maker.choice(["[[§]]", "{'a': §}"]).replace("§", wrap)
    wrapped = wrap.replace("§", "$x")
    times = maker.choice([10, 60, 300, 3_000, 20_000, 100_000])
    call = maker.choice(CALLS).replace("AGAIN", f"$f($n - 1, {wrapped})").replace("WRAPPED", wrap.replace("§", "$f($n - 1, $x)"))
    function = f"$f := function($n, $x){{ $n <= 0 ? {maker.choice(['1', '$x', '[]'])} : {call} }}; "
    start = maker.choice(["1", "'a'", "{'a': 1}", "[]", "$states.input"])
    kind = maker.random()
    if kind < 0.55:
        value = f"$f({times}, {start})"
    elif kind < 0.9:
        value = f"$reduce([1..{times}], function($x, $i){{ {wrapped} }}, {start})"
    else:
        value = f"(function($g, $x){{ $g($g, {wrapped}) }})(function($g, $x){{ {maker.choice(['', '1 + '])}$g($g, {wrapped}) }}, 1)"
    walk = maker.choice(WALKS).replace("§", "$v")
    if maker.random() < 0.3:
        walk = maker.choice(WALKS).replace("§", f"({walk})")
    return f"({function}$v := {value}; {walk})"


def outcome(text: str) -> tuple[str, float]:
    """How an expression ended, and the processor's seconds that this process spent on it."""
    state = {"Type": "Pass", "Output": f"{{% {text} %}}", "End": True}
    try:
        program = express.compile({"QueryLanguage": "JSONata", "StartAt": "P", "States": {"P": state}})
    except express.DefinitionError as error:
        return f"refused: {error.problems[0].message}", 0.0
    began = time.process_time()
    found = program.run(INPUT)
    return found.error or "a value", time.process_time() - began


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.recursion", description=__doc__)
    parser.add_argument("--expressions", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    ends, bad, slowest = Counter[str](), 0, 0.0
    for seed in range(arguments.seed, arguments.seed + arguments.expressions):
        end, seconds = outcome(expression(seed))
        ends[end] += 1
        slowest = max(slowest, seconds)
        if seconds > PROCESSOR_SECONDS or end not in DECLARED:
            bad += 1
            print(f"seed {seed}: {end}, {seconds:.2f} s: {expression(seed)}", flush=True)
    print(f"{arguments.expressions:,} expressions that call themselves: {dict(ends)}; at most {slowest:.2f} s of this process; {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
