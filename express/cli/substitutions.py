"""``--substitute NAME=VALUE``, as several commands take it."""

from __future__ import annotations

from collections.abc import Iterable

from express.cli.exits import usage

HELP = "The value of ${NAME} in the definition; may be repeated."


def parsed(given: Iterable[str] | None) -> dict[str, str]:
    """The values by name. A value is text, as SAM and CloudFormation have it."""
    found: dict[str, str] = {}
    for each in given or ():
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise usage(f"--substitute takes NAME=VALUE, not {each!r}")
        found[name] = value
    return found
