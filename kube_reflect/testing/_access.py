"""Who may do what: bearer tokens, and rules that forbid."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from kube_reflect.object_ref import ApiResource
from kube_reflect.testing import _status as status
from kube_reflect.testing._requests import Request

ANONYMOUS = "system:anonymous"
_ADMIN = "admin"


@dataclass(frozen=True)
class Rule:
    """Requests that are refused; a None fits all."""

    path: str | None = None
    group: str | None = None
    plural: str | None = None
    namespace: str | None = None
    verb: str | None = None

    def fits(self, request: Request) -> bool:
        """Whether a request is refused by this rule."""
        if self.path is not None and not request.path.startswith(self.path):
            return False
        if self.verb is not None and request.verb != self.verb:
            return False
        target = request.target
        if self.plural is not None and (
                target is None or (target.group, target.plural) != (self.group, self.plural)):
            return False
        return self.namespace is None or request.namespace == self.namespace


class Access:
    """The tokens and rules of one server; any thread may change them."""

    def __init__(self, tokens: Mapping[str, str] | None) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self.tokens = tokens

    def add(self, rule: Rule) -> None:
        """Refuse what fits a rule."""
        with self._lock:
            if rule not in self._rules:
                self._rules.append(rule)

    def remove(self, rule: Rule | None) -> None:
        """Forget a rule, or with None all."""
        with self._lock:
            self._rules = [one for one in self._rules if rule is not None and one != rule]

    def user(self, request: Request) -> str:
        """Whose request it is.

        :raises ApiStatusError: 401 for a token that nobody has.
        """
        tokens = self.tokens
        if tokens is None:
            return _ADMIN
        scheme, _, token = request.headers.get("authorization").partition(" ")
        if not scheme:
            return ANONYMOUS
        user = tokens.get(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise status.unauthorized()
        return user

    def allows(self, user: str, request: Request) -> bool:
        """Whether a user may make a request."""
        with self._lock:
            return user != ANONYMOUS and not any(rule.fits(request) for rule in self._rules)

    def check(self, request: Request, resource: ApiResource | None) -> None:
        """Let a request pass.

        :param resource: the resource of its path, if it exists.
        :raises ApiStatusError: 401 or 403.
        """
        user = self.user(request)
        if self.allows(user, request):
            return
        target = request.target
        if target is None:
            raise status.forbidden_path(user, request.verb, request.path)
        named = resource or ApiResource(target.group, target.version, target.plural, target.plural)
        raise status.forbidden(named, request.verb, user, target.namespace, target.name)
