"""One assignment as the dispatcher sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter

from express.outcome import Outcome
from express.runtime.context import Execution, Message, execution_name, records_of
from express.runtime.limits import NAME_CHARACTERS
from express.sources import Assignment
from express.turns import Turns

Done = Callable[["Lane", Execution, Outcome], None]
_OFFSET = attrgetter("offset")


class Lane:
    """What is on its way of one assignment. ``closing``: nothing more of it is taken or begun; ``suspended``: that may change, what runs
    goes on, its further tries too; ``resuming``: it is about to change. ``running``: executions that wait for something; ``done`` is what
    the executor calls when they end. ``pausing``: those of them that only wait for their next try. ``turns``: whose turn it is, where order
    matters. ``held``: fetched, and not delivered while the tracker has no room for it. ``again``: delivered, and given up while it was
    suspended: the first to run when it goes on. ``prefix`` and the offset make an execution's name, unless records have names of their
    own."""

    __slots__ = (
        "again", "assignment", "closing", "done", "held", "pausing", "prefix", "resuming", "running", "suspended", "turns",
    )  # fmt: skip

    def __init__(self, assignment: Assignment, done: Done, turns: Turns | None = None) -> None:
        self.assignment, self.turns = assignment, turns
        self.closing = self.suspended = self.resuming = False
        self.running: set[Execution] = set()
        self.pausing: set[Execution] = set()
        self.held: Sequence[Message] = ()
        self.again: list[Message] = []
        self.done = partial(done, self)
        prefix = f"{assignment.topic}-{assignment.partition}-"
        # With the largest offset the name is within AWS's limit, or it has to be hashed each time
        self.prefix = prefix.encode() if not assignment.identified and len(prefix) + 19 <= NAME_CHARACTERS else None

    def close(self, suspended: bool = False) -> None:
        """Nothing more of it is taken or begun. What was not even delivered is read again."""
        self.suspended = suspended and (self.suspended or not self.closing)  # what closes for good is not suspended any more
        self.closing, self.resuming, self.held = True, False, ()

    def go_on(self) -> None:
        """What was given up runs first, in the order of its offsets."""
        self.closing = self.suspended = self.resuming = False
        self.again.sort(key=_OFFSET)

    def give_up(self, messages: Sequence[Message]) -> None:
        """These were delivered, and do not run now."""
        if self.suspended:
            self.again += records_of(messages)

    def busy(self) -> bool:
        """Whether something runs that is not a pause before another try."""
        return len(self.running) > len(self.pausing)

    def name(self, message: Message) -> bytes:
        """The name of the execution of one of its messages."""
        return execution_name(message).encode() if self.prefix is None else b"%b%d" % (self.prefix, message.offset)
