"""One assignment as the dispatcher sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from express.outcome import Outcome
from express.runtime.context import Execution, Message, execution_name
from express.runtime.limits import NAME_CHARACTERS
from express.sources import Assignment
from express.turns import Turns

Done = Callable[["Lane", Execution, Outcome], None]


class Lane:
    """What is on its way of one assignment. ``closing``: nothing more of it is taken or begun. ``running``: executions that wait for
    something; ``done`` is what the executor calls when they end. ``pausing``: those of them that only wait for their next try. ``turns``:
    whose turn it is, where order matters. ``held``: fetched, and not delivered while the tracker has no room for it. ``prefix`` and the
    offset make an execution's name, unless records have names of their own."""

    __slots__ = ("assignment", "closing", "done", "held", "pausing", "prefix", "running", "turns")

    def __init__(self, assignment: Assignment, done: Done, turns: Turns | None = None) -> None:
        self.assignment, self.closing, self.turns = assignment, False, turns
        self.running: set[Execution] = set()
        self.pausing: set[Execution] = set()
        self.held: Sequence[Message] = ()
        self.done = partial(done, self)
        prefix = f"{assignment.topic}-{assignment.partition}-"
        # With the largest offset the name is within AWS's limit, or it has to be hashed each time
        self.prefix = prefix.encode() if not assignment.identified and len(prefix) + 19 <= NAME_CHARACTERS else None

    def name(self, message: Message) -> bytes:
        """The name of the execution of one of its messages."""
        return execution_name(message).encode() if self.prefix is None else b"%b%d" % (self.prefix, message.offset)
