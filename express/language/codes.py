"""Every code that a problem can have: its severity and, in one sentence, what it stands for. docs/checking.md shows an example of each."""

from __future__ import annotations

from typing import Literal, NamedTuple

from express.language import findings

# Ours, beyond those that the reading of a definition reports
UNKNOWN_CODE = "UNKNOWN_CODE"
NOT_PORTABLE = "NOT_PORTABLE"
UNKNOWN_OPERATION = "UNKNOWN_OPERATION"
UNKNOWN_PARAMETER = "UNKNOWN_PARAMETER"
MISSING_PARAMETER = "MISSING_PARAMETER"
NOT_CHECKED = "INTEGRATION_NOT_CHECKED"
TOO_LARGE_A_CONSTANT = "CONSTANT_TOO_LARGE"
TOO_LONG = "LONGER_THAN_AN_EXECUTION"
# Advice
NO_TIMEOUT = "TASK_WITHOUT_TIMEOUT"
LATE_TIMEOUT = "INLINE_TIMEOUT"
NO_RETRY = "TASK_WITHOUT_RETRY"
NOT_IDEMPOTENT = "RETRY_NOT_IDEMPOTENT"
DROPS_ERROR = "CATCH_DROPS_ERROR"
DROPS_INPUT = "CATCH_DROPS_INPUT"
GROWS = "PAYLOAD_GROWS"
NOT_UNDONE = "COMPENSATION_INCOMPLETE"


class Code(NamedTuple):
    """``severity`` is the one that the problem has; an error is never left out, whatever is ignored."""

    severity: Literal["ERROR", "WARNING", "ADVICE"]
    meaning: str


CODES: dict[str, Code] = {
    # AWS's errors
    findings.SCHEMA: Code("ERROR", "A field is unknown, missing, of the wrong type, or holds what cannot be evaluated."),
    findings.SYNTAX: Code("ERROR", "The text is not JSON (or YAML), or a key is given twice."),
    findings.EMPTY: Code("ERROR", "There is no definition."),
    findings.TARGET: Code("ERROR", "A transition leads to no state, or no transition leads to a state."),
    findings.NO_END: Code("ERROR", "Nothing ends the workflow, a branch or an iteration."),
    findings.DUPLICATE_STATE: Code("ERROR", "Two states have the same name, at whatever depth."),
    findings.STATE_NAME: Code("ERROR", "A state's name is empty or longer than 80 characters."),
    findings.DUPLICATE_LABEL: Code("ERROR", "Two Map states have the same Label."),
    findings.LABEL: Code("ERROR", "A Label is empty, longer than 40 characters, or has a character that is not allowed."),
    findings.TOO_DEEP: Code("ERROR", "Objects, arrays, Map or Parallel states are nested too deep."),
    # Ours
    findings.TOO_LARGE: Code("ERROR", "The definition is larger than 1 MiB."),
    findings.SUBSTITUTION: Code("ERROR", "The value of a ${Name} is none that a definition can hold."),
    findings.UNRESOLVED: Code("ERROR", "A ${Name} stands where its value matters, and has none (said by compile and run)."),
    findings.UNREADABLE: Code("ERROR", "The file of the definition cannot be read."),
    NOT_PORTABLE: Code("ERROR", "Express runs it and AWS would not (only with --portable)."),
    UNKNOWN_OPERATION: Code("ERROR", "A Task calls a service or an operation that AWS does not have."),
    UNKNOWN_PARAMETER: Code("ERROR", "A Task gives an operation of AWS a parameter that it does not have."),
    MISSING_PARAMETER: Code("ERROR", "A Task does not give an operation of AWS a parameter that it needs."),
    # AWS's warnings
    findings.NO_DOLLAR: Code("WARNING", "A text that looks like a path stands in a field whose name does not end in '.$'."),
    findings.NO_PATH: Code("WARNING", "A value that looks like a path stands in a field whose name does not end in 'Path'."),
    findings.STATIC_RESULT: Code("WARNING", "A Pass state's Result looks as if it were to look something up; it is taken as it is."),
    # Our warnings
    findings.DISTRIBUTED: Code("WARNING", "A Distributed Map: Express workflows cannot run one, so that compile and run refuse it."),
    findings.HIDDEN: Code("WARNING", "A Pass state has Parameters and a Result, which hides them."),
    findings.PLACEHOLDERS: Code("WARNING", "States.Format has more or fewer {} than values."),
    findings.NO_DEFAULT: Code("WARNING", "A Choice state without Default fails when no rule matches."),
    findings.NEGATIVE_INDEX: Code(
        "WARNING", "A path has a negative index: Express counts it from the end, Step Functions finds nothing there."
    ),
    findings.NO_FUNCTION: Code("WARNING", "A path calls a JSONPath function, which Step Functions does not have."),
    findings.NOT_DISTRIBUTED: Code("WARNING", "An inline Map has a field that only a Distributed Map uses."),
    findings.SHORT_DELAY: Code("WARNING", "MaxDelaySeconds is not more than IntervalSeconds, so that the pauses of a Retry never grow."),
    findings.UNDEFINED_VARIABLE: Code("WARNING", "A variable is read that no state assigns where it could be seen, or none before."),
    findings.UNKNOWN_FUNCTION: Code("WARNING", "JSONata calls a function that neither JSONata nor AWS has."),
    findings.UNKNOWN_FIELD: Code("WARNING", "A field of $states or of the Context Object is read that neither has."),
    findings.JSONATA_IS_TEXT: Code("WARNING", "What looks like JSONata is a text: it is in a JSONPath state, or has blanks at both ends."),
    findings.JSONPATH_IS_TEXT: Code("WARNING", "What looks like a JSONPath field is passed on as it is: it is in a JSONata state."),
    findings.RESERVED_ERROR: Code("WARNING", "ErrorEquals names a States.* error that does not exist."),
    findings.HTTP_REFUSED: Code("WARNING", "An HTTP Task has what Step Functions refuses when it runs: a method, a header, no connection."),
    TOO_LARGE_A_CONSTANT: Code("WARNING", "A constant is larger than the 256 KiB that a state's data may have: the state always fails."),
    TOO_LONG: Code("WARNING", "A Wait or a TimeoutSeconds lasts longer than the five minutes of an Express execution."),
    NOT_CHECKED: Code("WARNING", "What Tasks ask of AWS is not checked, since botocore is not installed."),
    UNKNOWN_CODE: Code("WARNING", "A Comment ignores a code that does not exist, or an error."),
    # Advice
    NO_TIMEOUT: Code("ADVICE", "A Task has no TimeoutSeconds."),
    LATE_TIMEOUT: Code("ADVICE", "A Task has TimeoutSeconds, and its function runs inline, where nothing can interrupt it."),
    NO_RETRY: Code("ADVICE", "A Task has no Retry for errors that pass, and nothing around it has one."),
    NOT_IDEMPOTENT: Code("ADVICE", "A Task that says it is not idempotent is retried."),
    DROPS_ERROR: Code("ADVICE", "What went wrong is thrown away where it is caught."),
    DROPS_INPUT: Code("ADVICE", "The error takes the place of the input, which the handler no longer has."),
    GROWS: Code("ADVICE", "The data grows with each turn of a loop, each item or each branch, towards 256 KiB."),
    NOT_UNDONE: Code("ADVICE", "A step that was completed is not undone when a later one fails."),
}
