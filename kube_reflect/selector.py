"""Label selectors and field selectors, in the API server's own grammar."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

__all__ = ["FieldRequirement", "FieldSelector", "Operator", "Requirement", "Selector", "parse",
           "parse_field_selector"]

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_RULE = ("letters, digits, '-', '_' and '.', beginning and ending with a letter or a digit, "
              "at most 63 characters")
_PREFIX_RULE = ("a DNS subdomain of lower case letters, digits, '-' and '.', at most 253 "
                "characters")
_INTEGER = re.compile(r"[+-]?[0-9]+")


class Operator(Enum):
    """What a requirement asks of a label; the values are Kubernetes's own names."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GREATER_THAN = "Gt"
    LESS_THAN = "Lt"


_SIGNS = {Operator.IN: "=", Operator.NOT_IN: "!=", Operator.GREATER_THAN: ">",
          Operator.LESS_THAN: "<"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term of a label selector.

    Make them with :func:`parse`, which checks keys and values. ``=`` and ``==`` are ``In`` with one
    value, ``!=`` is ``NotIn`` with one value.
    """

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether the labels of an object meet the requirement."""
        operator = self.operator
        value = labels.get(self.key)
        if operator is Operator.IN:
            return value is not None and value in self.values
        if operator is Operator.NOT_IN:
            return value is None or value not in self.values
        if operator is Operator.EXISTS:
            return value is not None
        if operator is Operator.DOES_NOT_EXIST:
            return value is None
        if value is None or (number := _int64(value)) is None:
            return False
        bound = int(self.values[0])
        return number > bound if operator is Operator.GREATER_THAN else number < bound

    def __str__(self) -> str:
        key, operator, values = self.key, self.operator, self.values
        if not values:
            return key if operator is Operator.EXISTS else f"!{key}"
        if len(values) == 1:
            return f"{key}{_SIGNS[operator]}{values[0]}"
        return f"{key} {'in' if operator is Operator.IN else 'notin'} ({','.join(values)})"


@dataclass(frozen=True, slots=True)
class Selector:
    """A label selector: all of its requirements must be met.

    It is immutable and hashable; any thread may use it. Selectors that ask for the same
    requirements are equal, however they were written. One without requirements selects
    everything, and is false. ``str()`` gives the canonical text, which the API server accepts.
    """

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Return whether an object with these labels is selected.

        It costs a dictionary lookup for each requirement.

        :param labels: ``metadata.labels`` of the object; None for none.
        """
        labels = labels or {}
        for requirement in self.requirements:
            if not requirement.matches(labels):
                return False
        return True

    def __bool__(self) -> bool:
        return bool(self.requirements)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


def parse(selector: str | Mapping[str, str] | Selector | None) -> Selector:
    """Parse a label selector just as the API server does (that of version 1.36).

    :param selector: text such as ``app=web,tier in (a, b),!canary,generation>3``; or a mapping of
        keys to the values they must have; or a selector, which is returned as it is; None or ``""``
        selects everything.
    :raises TypeError: if it is none of these, or the mapping holds anything but strings.
    :raises ValueError: if the API server would refuse it; the message says what was found, where,
        and what is allowed.
    """
    if selector is None:
        return Selector()
    if isinstance(selector, Selector):
        return selector
    if isinstance(selector, str):
        return _canonical(_Parser(selector).parse())
    if not isinstance(selector, Mapping):
        raise TypeError(f"a label selector must be a str, a mapping of str to str or None, "
                        f"not {type(selector).__name__}")
    requirements = []
    pairs: Iterable[tuple[object, object]] = selector.items()
    for key, value in pairs:
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"a label selector mapping must hold str keys and str values, "
                            f"not {key!r}: {value!r}")
        if problem := _key_problem(key) or _value_problem(value):
            raise ValueError(f"invalid label selector {dict(selector)!r}: {problem}")
        requirements.append(Requirement(key, Operator.IN, (value,)))
    return _canonical(requirements)


def _canonical(requirements: list[Requirement]) -> Selector:
    unique = {(item.key, item.operator.value, item.values): item for item in requirements}
    return Selector(tuple(unique[key] for key in sorted(unique)))


def _key_problem(key: str) -> str | None:
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not _SUBDOMAIN.fullmatch(prefix)):
        return f"the prefix of label key {key!r} must be {_PREFIX_RULE}"
    if len(name) > 63 or not _NAME.fullmatch(name):
        return f"the name of label key {key!r} must be {_NAME_RULE}"
    return None


def _value_problem(value: str) -> str | None:
    if value and (len(value) > 63 or not _NAME.fullmatch(value)):
        return f"label value {value!r} must be empty, or {_NAME_RULE}"
    return None


def _int64(text: str) -> int | None:
    # int() alone takes more than the server does: spaces, underscores, any length.
    if len(text) > 64 or not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    return number if -2**63 <= number < 2**63 else None


# Whitespace is that of the server's lexer: others, such as a no-break space, belong to words.
_TOKEN = re.compile(r"(?P<symbol>==|!=|[=!(),<>])|(?P<word>[^=!(),<> \t\r\n]+)|[ \t\r\n]+")
_OPERATORS = {"=": Operator.IN, "==": Operator.IN, "in": Operator.IN, "!=": Operator.NOT_IN,
              "notin": Operator.NOT_IN, ">": Operator.GREATER_THAN, "<": Operator.LESS_THAN}


class _Parser:
    """A recursive descent over the tokens of one selector."""

    def __init__(self, text: str) -> None:
        self._text = text
        # (position, token, whether it is a word); the end is an empty token.
        self._tokens = [(found.start(), found.group(), found.lastgroup == "word")
                        for found in _TOKEN.finditer(text) if found.lastgroup]
        self._tokens.append((len(text), "", False))
        self._next = 0

    def parse(self) -> list[Requirement]:
        requirements = [self._requirement()] if self._peek() else []
        while self._peek():
            self._expect(",", "',' or the end")
            requirements.append(self._requirement())
        return requirements

    def _requirement(self) -> Requirement:
        negated = self._accept("!")
        key = self._word("a label key" if negated else "a label key or '!'", _key_problem)
        if negated:
            return Requirement(key, Operator.DOES_NOT_EXIST)
        token = self._peek()
        if token in ("", ","):
            return Requirement(key, Operator.EXISTS)
        operator = _OPERATORS.get(token)
        if operator is None:
            self._fail("one of '=', '==', '!=', 'in', 'notin', '>', '<', ',' or the end")
        self._next += 1
        if token in ("in", "notin"):
            return Requirement(key, operator, self._values())
        if operator in (Operator.GREATER_THAN, Operator.LESS_THAN):
            return Requirement(key, operator, (self._integer(),))
        if self._peek() in ("", ","):
            return Requirement(key, operator, ("",))
        return Requirement(key, operator, (self._word("a label value", _value_problem),))

    def _values(self) -> tuple[str, ...]:
        self._expect("(", "'('")
        values: set[str] = set()
        while not self._accept(")"):
            if self._accept(","):
                # A comma with nothing before it, after it, or between it and the next one stands
                # for the empty value. (Servers that are older than 1.36 take two commas at a time,
                # and then no bracket after them.)
                if not values or self._peek() in (",", ")"):
                    values.add("")
            else:
                values.add(self._word("a label value or ','", _value_problem))
                if self._peek() not in (",", ")"):
                    self._fail("',' or ')'")
        return tuple(sorted(values or {""}))

    def _integer(self) -> str:
        start = self._next
        value = self._word("an integer", _value_problem)
        if _int64(value) is None:
            self._next = start
            self._fail("an integer below 2**63")
        return value

    def _peek(self) -> str:
        return self._tokens[self._next][1]

    def _accept(self, symbol: str) -> bool:
        found = self._peek() == symbol
        self._next += found
        return found

    def _expect(self, symbol: str, expected: str) -> None:
        if not self._accept(symbol):
            self._fail(expected)

    def _word(self, expected: str, problem_of: Callable[[str], str | None]) -> str:
        position, token, is_word = self._tokens[self._next]
        if not is_word:
            self._fail(expected)
        if problem := problem_of(token):
            raise ValueError(f"invalid label selector {self._text!r}: at character "
                             f"{position + 1}, {problem}")
        self._next += 1
        return token

    def _fail(self, expected: str) -> NoReturn:
        position, token, _ = self._tokens[self._next]
        found = f"{token!r}" if token else "the end"
        raise ValueError(f"invalid label selector {self._text!r}: at character {position + 1}, "
                         f"found {found}, expected {expected}")


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """One term of a field selector: the field has the value or, if negated, has not."""

    field: str
    value: str
    negated: bool = False

    def __str__(self) -> str:
        value = re.sub(r"([\\,=])", r"\\\1", self.value)
        return f"{self.field}{'!=' if self.negated else '='}{value}"


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """A field selector: all of its requirements must be met. For the rest it is as a `Selector`."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, lookup: Callable[[str], str]) -> bool:
        """Return whether an object is selected.

        :param lookup: gives the value of the field of that name, ``""`` where there is none.
        """
        return all((lookup(item.field) == item.value) != item.negated
                   for item in self.requirements)

    def __bool__(self) -> bool:
        return bool(self.requirements)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


_FIELD_TERM = re.compile(r"(?P<field>.*?)(?P<operator>!=|==|=)(?P<value>.*)", re.DOTALL)
_FIELD_VALUE = re.compile(r"(?:[^\\,=]|\\[\\,=])*", re.DOTALL)


def parse_field_selector(selector: str | FieldSelector | None) -> FieldSelector:
    r"""Parse a field selector just as the API server does.

    Which fields there are depends on the kind, and is for the server to know.

    :param selector: text such as ``metadata.name=web-0,status.phase!=Running``, in whose values
        backslash, comma and ``=`` are escaped by a backslash; or a selector, which is returned as
        it is; None or ``""`` selects everything.
    :raises TypeError: if it is none of these.
    :raises ValueError: if a term is malformed; the message says which and what is allowed.
    """
    if selector is None:
        return FieldSelector()
    if isinstance(selector, FieldSelector):
        return selector
    if not isinstance(selector, str):
        raise TypeError(f"a field selector must be a str or None, not {type(selector).__name__}")
    requirements = set()
    for term in re.findall(r"(?:[^\\,]|\\.|\\$)+", selector, re.DOTALL):
        found = _FIELD_TERM.fullmatch(term)
        if found and not found["field"] and not found["value"]:
            # The server takes a bare operator for a term that asks nothing.
            continue
        if not found or not found["field"]:
            raise ValueError(f"invalid field selector {selector!r}: found {term!r}, expected "
                             "field=value, field==value or field!=value")
        value = found["value"]
        if not _FIELD_VALUE.fullmatch(value):
            raise ValueError(f"invalid field selector {selector!r}: in the value {value!r}, "
                             "backslash, ',' and '=' must each be escaped by a backslash, and "
                             "nothing else may be")
        value = re.sub(r"\\(.)", r"\1", value)
        requirements.add((found["field"], found["operator"] == "!=", value))
    return FieldSelector(tuple(FieldRequirement(field, value, negated)
                               for field, negated, value in sorted(requirements)))
