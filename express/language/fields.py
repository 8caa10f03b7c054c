"""The fields of one object of a definition, read one by one by type; each that does not fit becomes a problem at its own location."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from express.language import embedded, intrinsics, paths, substitutions, templates
from express.language.findings import NO_DOLLAR, NO_PATH, UNRESOLVED, Findings, below, shown
from express.language.model import ROOT, Call, Expression, Jsonata, Literal, Path
from express.language.scanner import SyntaxProblem

LARGEST = 99_999_999  # AWS: seconds, attempts
_PATHLIKE = re.compile(r"\$(?:\$?[.\[]|$)|States\.\w+\(")


def looks_like_a_path(value: Any) -> bool:
    return isinstance(value, str) and _PATHLIKE.match(value) is not None


class Fields:
    """One object. Reading a field that is absent gives the default; reading one that does not fit reports it and gives the default."""

    def __init__(self, raw: dict[str, Any], location: str, findings: Findings) -> None:
        self.raw, self.location, self.findings = raw, location, findings

    def __contains__(self, name: str) -> bool:
        return name in self.raw

    def at(self, name: str) -> str:
        return below(self.location, name)

    def error(self, name: str, message: str) -> None:
        """What is in the field is wrong; of a text with a placeholder nobody knows yet."""
        placeholder = substitutions.placeholder(self.raw.get(name))
        if placeholder is None:
            self.findings.error(self.at(name), message)
        else:
            self.findings.error(self.at(name), f"the substitution {placeholder} has no value", UNRESOLVED)

    # --- Which fields there are

    def known(self, names: Collection[str], what: str, elsewhere: dict[str, str] | None = None) -> None:
        """Reports fields other than ``names``. ``elsewhere`` says of some names why they do not belong here."""
        for name in self.raw:
            if name in names:
                continue
            if elsewhere and name in elsewhere:
                self.findings.error(self.at(name), elsewhere[name])
            else:
                self.findings.error(
                    self.at(name), f"Field is not supported: {what} has no field {shown(name)}{self.findings.suggestion(name, names)}"
                )

    def required(self, *names: str) -> bool:
        """Reports those that are absent; True if all are there."""
        missing = [name for name in names if name not in self.raw]
        if len(missing) == 1:
            alike = next((name for name in self.raw if name.casefold() == missing[0].casefold()), None)
            meant = "" if alike is None else f" (did you mean it by {shown(alike)}?)"
            self.findings.error(self.location, f"The field '{missing[0]}' is required but was missing{meant}")
        elif missing:
            self.findings.error(self.location, f"These fields are required: [{', '.join(missing)}]")
        return not missing

    def at_most_one(self, *names: str) -> bool:
        given = [name for name in names if name in self.raw]
        if len(given) > 1:
            self.findings.error(self.location, f"Only one of these fields is allowed: [{', '.join(given)}]")
        return len(given) <= 1

    def exactly_one(self, *names: str) -> bool:
        if not any(name in self.raw for name in names):
            self.findings.error(self.location, f"One of these fields is required: [{', '.join(names)}]")
            return False
        return self.at_most_one(*names)

    # --- Values

    def text(self, name: str, default: str | None = None) -> str | None:
        value = self.raw.get(name, default)
        if value is default or isinstance(value, str):
            if name in self.raw and value is None:
                self.error(name, "expected a text, found null")
            return value
        self.error(name, f"expected a text, found {shown(value)}")
        return default

    def one_of(self, name: str, choices: tuple[str, ...], default: str | None = None) -> str | None:
        if name not in self.raw:
            return default
        value = self.raw[name]
        if isinstance(value, str) and value in choices:
            return value
        near = self.findings.suggestion(value, choices) if isinstance(value, str) and len(choices) > 3 else ""
        listed = " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
        self.error(name, f"expected {listed}, found {shown(value)}{near}")
        return default

    def flag(self, name: str) -> bool:
        value = self.raw.get(name, False)
        if isinstance(value, bool):
            return value
        self.error(name, f"expected true or false, found {shown(value)}")
        return False

    def integer(self, name: str, least: int, most: int = LARGEST) -> int | None:
        if name not in self.raw:
            return None
        value = self.raw[name]
        if type(value) is int and least <= value <= most:
            return value
        self.error(name, f"expected a whole number from {least} to {most}, found {shown(value)}")
        self.perhaps_a_path(name)
        return None

    def number(self, name: str, least: float, most: float | None = None) -> float | None:
        if name not in self.raw:
            return None
        value = self.raw[name]
        if type(value) in (int, float) and value >= least and (most is None or value <= most):
            return value  # type: ignore[no-any-return]
        reach = f"of at least {least:g}" if most is None else f"from {least:g} to {most:g}"
        self.error(name, f"expected a number {reach}, found {shown(value)}")
        self.perhaps_a_path(name)
        return None

    def perhaps_a_path(self, name: str) -> None:
        """Warns that ``Seconds: "$.wait"`` was meant to be ``SecondsPath``."""
        if looks_like_a_path(self.raw[name]):
            self.findings.warning(self.at(name), f"the value looks like a path: use the field '{name}Path' for it", NO_PATH)

    # --- Expressions

    def path(self, name: str, default: Path | None = ROOT) -> Path | None:
        """A path, or null (None) as InputPath and OutputPath take it."""
        if name not in self.raw:
            return default
        value = self.raw[name]
        if value is None:
            return None
        return self._path(name, value) or default

    def own_path(self, name: str) -> Path | None:
        """A path to one value: SecondsPath and its like."""
        if name not in self.raw:
            return None
        path = self._path(name, self.raw[name])
        if path is not None and not paths.definite(path):
            self.error(name, f"expected a path to one value, {shown(path.text)} may select several")
            return None
        return path

    def reference_path(self, name: str) -> Path | None:
        """ResultPath: a Reference Path, or null (None)."""
        if name not in self.raw:
            return ROOT
        value = self.raw[name]
        if value is None:
            return None
        path = self._parsed(name, value)
        if path is None:
            return ROOT
        reason = paths.not_a_reference(path)
        if reason is not None:
            self.error(name, f"Value is not a Reference Path: {reason}")
            return ROOT
        templates.inspect(path, self.at(name), self.findings)
        return path

    def path_or_call(self, name: str) -> Path | Call | None:
        """ErrorPath and CausePath: a path or an intrinsic function."""
        if name not in self.raw:
            return None
        value = self.raw[name]
        if isinstance(value, str) and intrinsics.looks_like_one(value):
            try:
                call = intrinsics.parse(value)
            except SyntaxProblem as problem:
                self.error(name, f"{shown(value)} is not a valid intrinsic function call: {problem}")
                return None
            if call.function not in intrinsics.TEXTS:
                wanted = ", ".join(sorted(intrinsics.TEXTS))
                self.error(name, f"States.{call.function} does not return a text: {name} takes a path or one of {wanted}")
                return None
            templates.inspect(call, self.at(name), self.findings)
            return call
        return self._path(name, value)

    def literal_or_path(self, name: str, least: int, most: int = LARGEST, whole: bool = True) -> Literal | Path | None:
        """``X`` as a number or ``XPath`` as a path, not both."""
        if not self.at_most_one(name, f"{name}Path"):
            return None
        number = self.integer(name, least, most) if whole else self.number(name, least, most)
        return Literal(number) if number is not None else self.own_path(f"{name}Path")

    def template(self, name: str) -> Expression | None:
        if name not in self.raw:
            return None
        if looks_like_a_path(self.raw[name]):
            message = f"{name} is this text itself: to look values up, make it an object with fields such as 'order.$'"
            self.findings.warning(self.at(name), message, NO_DOLLAR)
        return templates.parse(self.raw[name], self.at(name), self.findings)

    # --- Expressions of JSONata

    def value(self, name: str, *members: str) -> Expression | None:
        """A JSON value with JSONata in its texts, which may read ``members`` of ``$states`` besides input and context."""
        return embedded.parse(self.raw[name], self.at(name), self.findings, members) if name in self.raw else None

    def jsonata(self, name: str) -> Jsonata | Literal | None:
        """JSONata in a field that may as well hold a constant: None if it is none. A Literal stands for what has been reported."""
        value = self.raw.get(name)
        if not isinstance(value, str) or not value.startswith("{%"):
            return None
        return embedded.text(value, self.at(name), self.findings)

    def literal_or_jsonata(self, name: str, least: int, most: int = LARGEST, whole: bool = True) -> Literal | Jsonata | None:
        """A number, or JSONata that gives one."""
        expression = self.jsonata(name)
        if expression is not None or name not in self.raw:
            return expression
        number = self.integer(name, least, most) if whole else self.number(name, least, most)
        return None if number is None else Literal(number)

    def _path(self, name: str, value: Any) -> Path | None:
        path = self._parsed(name, value)
        if path is not None:
            templates.inspect(path, self.at(name), self.findings)
        return path

    def _parsed(self, name: str, value: Any) -> Path | None:
        if not isinstance(value, str):
            self.error(name, f"expected a path such as $.order.total, found {shown(value)}")
            return None
        try:
            return paths.parsed(value)
        except SyntaxProblem as problem:
            self.error(name, f"{shown(value)} is not a valid JSONPath: {problem}")
            return None
