"""The graph of a machine: which states are joins and loops, which functions that makes, and whether anything can wait."""

from __future__ import annotations

from collections.abc import Iterator

from express.compiler.unit import Binding
from express.language.model import ROOT, Choice, Fail, Fallible, Machine, Map, Parallel, Rule, State, Step, Succeed, Task, Wait

DEEPEST = 8  # levels of indentation inside a function; CPython ends at 20 blocks and 100 indents
LONGEST = 100  # states written into one function; CPython's compiler has no limit, readers do
DEEPEST_CALLS = 50  # functions that call each other in a row; with more, a driver calls them one after the other


def exits(state: State) -> Iterator[tuple[str | None, int]]:
    """Where a state can go, once for every place in the code that goes there, with the levels of indentation that adds; None is the end.
    Rules in a row that go to the same state are one place."""
    if isinstance(state, Choice):
        before: Rule | None = None
        for rule in state.rules:
            if before is None or not alike(before, rule):
                yield rule.next, 1
            before = rule
        if state.default is not None:
            yield state.default, 0
        return
    if isinstance(state, Fallible):
        for catcher in state.catch:
            yield catcher.next, 2
    if isinstance(state, Step):
        yield state.next, 0
    elif isinstance(state, Succeed):
        yield None, 0


def alike(rule: Rule, other: Rule) -> bool:
    """Whether two rules of a Choice do the same once they are taken."""
    return rule.next == other.next and not any((rule.assign, other.assign, rule.output, other.output))


class Plans:
    """The plan of every machine, made once. ``bindings`` maps the location of a Task to what it calls."""

    def __init__(self, bindings: dict[str, Binding]) -> None:
        self._bindings = bindings
        self._made: dict[str, Plan] = {}

    def of(self, machine: Machine) -> Plan:
        plan = self._made.get(machine.location)
        if plan is None:
            plan = self._made[machine.location] = Plan(machine, self)
        return plan

    def mock(self, state: State) -> Binding | None:
        """What is called instead of running a Map or Parallel, if anything is."""
        return None if isinstance(state, Task) else self._bindings.get(state.location)

    def waits(self, state: State) -> bool:
        """Whether a state can suspend. Map does: its work depends on the data, so it must let others run."""
        return self.why_it_waits(state) is not None

    def why_it_waits(self, state: State) -> str | None:
        """In words; None for a state that cannot suspend."""
        mocked = self.mock(state)
        if isinstance(state, Wait):
            return "it waits"
        if isinstance(state, Map):
            return "how much it does depends on the data, so it lets others run"
        if isinstance(state, (Task, Parallel)) and any(retrier.max_attempts > 0 for retrier in state.retry):
            return "Retry waits between attempts"
        if isinstance(state, Task):
            return "its function does not run inline" if self._bindings[state.location].inline is None else None
        if mocked is not None:
            return "what it calls does not run inline" if mocked.inline is None else None
        if isinstance(state, Parallel) and any(not self.of(branch).plain for branch in state.branches):
            return "a branch can wait"
        return None


class Plan:
    """How a machine becomes functions.

    ``heads`` are the states that begin one: the start, every state with more than one way in (small ends are written again instead), and
    where a function would get too long or too deep. ``loops`` are heads that only they themselves lead back to. ``group`` has the heads
    whose functions return where to go on instead of calling it, with the number of the driver that calls them: the members of larger loops,
    or all of them where calls would nest too deep.
    """

    def __init__(self, machine: Machine, plans: Plans) -> None:
        self.machine = machine
        self._states = states = machine.states
        ways: dict[str, int] = {machine.start_at: 1}
        pending = [machine.start_at]
        seen = {machine.start_at}
        while pending:
            for target, _ in exits(states[pending.pop()]):
                if target is None:
                    continue
                ways[target] = ways.get(target, 0) + 1
                if target not in seen:
                    seen.add(target)
                    pending.append(target)
        self.reached = [name for name in states if name in seen]
        self._ways = ways
        joins = {name for name in self.reached if ways[name] > 1 and not _small(states[name])}
        leads = self._functions(machine.start_at, joins)
        self.heads = frozenset(leads)
        groups = _cycles(leads)
        self.loops = frozenset(head for head in leads if head in leads[head] and len(groups[head]) == 1)
        if _depth(leads, groups) > DEEPEST_CALLS:
            self.group = dict.fromkeys(leads, 0)
        else:
            numbers = {group: number for number, group in enumerate(dict.fromkeys(groups.values()))}
            self.group = {head: numbers[groups[head]] for head in leads if len(groups[head]) > 1}
        # A loop of one function is a `while` in it, unless a driver calls it anyway
        self.loops -= self.group.keys()
        self.cyclic = any(head in leads[head] or len(groups[head]) > 1 for head in leads)
        self.alone = machine.start_at not in joins and machine.start_at not in self.group
        self.plain = not self.cyclic and not any(plans.waits(states[name]) for name in self.reached)

    def why(self, head: str) -> str:
        """Why a function begins with a state."""
        if head == self.machine.start_at:
            return "the machine begins here, and the way leads back here"
        if self._ways[head] > 1 and not _small(self._states[head]):
            return f"{self._ways[head]} ways lead here"
        return f"the function before it would get longer than {LONGEST} states or deeper than {DEEPEST} conditions"

    def _functions(self, start: str, joins: set[str]) -> dict[str, set[str]]:
        """The heads, each with the heads that its function leads to."""
        leads: dict[str, set[str]] = {}
        waiting = [start, *sorted(joins)]
        known = set(waiting)
        for head in waiting:  # grows while it is walked
            leads[head] = set()
            written = 0
            work = [(head, 0)]
            while work:
                name, depth = work.pop()
                if name != head or written:
                    if name in known:
                        leads[head].add(name)
                        continue
                    if depth > DEEPEST or (written >= LONGEST and not _small(self._states[name])):
                        known.add(name)
                        waiting.append(name)
                        leads[head].add(name)
                        continue
                written += 1
                # The order in which the states are written: the last exit goes on at the same depth
                work.extend((target, depth + deeper) for target, deeper in reversed(list(exits(self._states[name]))) if target is not None)
        return leads


def _small(state: State) -> bool:
    """Ends that cost a line: better written again than called."""
    if state.input_path != ROOT or state.output_path != ROOT or state.output is not None:
        return False
    return isinstance(state, (Succeed, Fail))


def _cycles(leads: dict[str, set[str]]) -> dict[str, frozenset[str]]:
    """The strongly connected component of every node (Tarjan, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: dict[str, frozenset[str]] = {}
    for root in leads:
        if root in index:
            continue
        work = [(root, iter(sorted(leads[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(sorted(leads[target]))))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    members = set()
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        members.add(member)
                        if member == node:
                            break
                    group = frozenset(members)
                    for member in group:
                        found[member] = group
    return found


def _depth(leads: dict[str, set[str]], groups: dict[str, frozenset[str]]) -> int:
    """The longest row of groups that lead to each other. Tarjan finishes a group after all it leads to: `groups` is in that order."""
    depth: dict[frozenset[str], int] = {}
    for group in dict.fromkeys(groups.values()):
        after = {groups[target] for member in group for target in leads[member]} - {group}
        depth[group] = 1 + max((depth[other] for other in after), default=0)
    return max(depth.values(), default=0)
