"""Which objects of a resource are meant."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import Any

from kube_reflect.cli._connection import Connection
from kube_reflect.shard import Shard

__all__ = ["Scope"]


@dataclass(frozen=True)
class Scope:
    """A namespace, and selectors.

    :param namespace: None for all.
    :param labels: a label selector.
    :param fields: a field selector.
    :param shard: of what is followed; None for all.
    """

    namespace: str | None
    labels: str | None = None
    fields: str | None = None
    shard: Shard | None = None

    @classmethod
    def of(cls, options: argparse.Namespace, connection: Connection) -> Scope:
        """Return the scope that the arguments of a command name."""
        namespace = None if options.all_namespaces else options.namespace or connection.namespace
        return cls(namespace, options.selector, options.field_selector,
                   getattr(options, "shard", None))

    def named(self, name: str) -> Scope:
        """Return the scope of one object."""
        fields = ",".join(filter(None, (self.fields, f"metadata.name={name}")))
        return replace(self, fields=fields)

    @property
    def query(self) -> dict[str, Any]:
        """The selectors, as parameters of a request."""
        given = {"labelSelector": self.labels, "fieldSelector": self.fields}
        return {key: value for key, value in given.items() if value}

    @property
    def where(self) -> str:
        """In words, after what is there: `` in namespace shop``."""
        return "" if self.namespace is None else f" in namespace {self.namespace}"
