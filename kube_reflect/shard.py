"""Shards: which of several replicas has an object."""

from __future__ import annotations

import functools
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass

__all__ = ["Shard", "fnv1a"]

#: How many hashes there are.
_HASHES = 1 << 64
_BY = ("uid", "namespace")
#: What the name of a StatefulSet's pod ends in.
_ORDINAL = re.compile(r"[^.]*-([0-9]+)(?:\..*)?")


@functools.lru_cache(1024)
def fnv1a(text: str) -> int:
    """Return the 64-bit FNV-1a hash of a text in UTF-8; some 2 us for a uid.

    (Remembered are the namespaces, and the objects that change all the time.)
    """
    found = 0xCBF29CE484222325
    for byte in text.encode("utf-8", "surrogatepass"):
        found = (found ^ byte) * 0x100000001B3 % _HASHES
    return found


@dataclass(frozen=True)
class Shard:
    """One of several shards, which are disjoint and together the whole; checked when made.

    An object is in the shard in whose range the hash of its uid is, or of its namespace. That is
    as the API server itself has it (``shardSelector``, an alpha feature of Kubernetes 1.36), so
    that it makes no difference which of the two filters.

    What has no uid (some aggregated APIs list such objects, ``metrics.k8s.io`` for one) is all in
    one shard, as is by the namespace what has none.

    :param index: which of them, from 0.
    :param count: how many there are.
    :param by: what is hashed: ``uid``, or ``namespace``, which keeps the objects of a namespace
        together.
    :raises ValueError: for an index that is not from 0 to below the count, or an unknown ``by``.
    :raises TypeError: for what is no whole number.
    """

    index: int
    count: int
    _: KW_ONLY
    by: str = "uid"

    def __post_init__(self) -> None:
        for name in ("index", "count"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be a whole number: {value!r}")
        if self.count < 1:
            raise ValueError(f"count must be 1 or more: {self.count}")
        if not 0 <= self.index < self.count:
            raise ValueError(f"index must be from 0 to {self.count - 1}, for {self.count} "
                             f"shards: {self.index}")
        if self.by not in _BY:
            raise ValueError(f"by must be {' or '.join(_BY)}: {self.by!r}")

    @classmethod
    def from_env(cls, index: str = "SHARD_INDEX", count: str = "SHARD_COUNT", *, by: str = "uid",
                 environ: Mapping[str, str] | None = None, hostname: str | None = None) -> Shard:
        """Return the shard of this replica, as the environment of its pod says.

        The index is that of a variable, or, where that is not set, the ordinal at the end of the
        host name: 3 for ``web-3``, the pod of a StatefulSet. (With ``hostNetwork`` that is the
        name of the node; set the variable there, from the label ``apps.kubernetes.io/pod-index``.)

        :param index: the variable with the index.
        :param count: the variable with the count.
        :param by: see `Shard`.
        :param environ: in place of ``os.environ``.
        :param hostname: in place of that of this machine.
        :raises ValueError: where they are missing, or make no sense; it says which.
        """
        environ = os.environ if environ is None else environ
        shards = _number(environ, count)
        if shards is None:
            raise ValueError(f"{count} is not set in the environment: how many shards there are")
        if shards < 1:
            raise ValueError(f"{count} must be 1 or more: {shards}")
        number, origin = _number(environ, index), index
        if number is None:
            hostname = socket.gethostname() if hostname is None else hostname
            ordinal = _ORDINAL.fullmatch(hostname)
            if ordinal is None:
                raise ValueError(
                    f"{index} is not set in the environment, and the host name {hostname!r} does "
                    "not end in an ordinal, as that of a StatefulSet's pod does: web-3")
            number, origin = int(ordinal[1]), f"the ordinal of the host name {hostname!r}"
        if number >= shards:
            raise ValueError(f"{origin} must be below {count}, which is {shards}: {number}")
        return cls(number, shards, by=by)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}" + ("" if self.by == "uid" else f" by {self.by}")

    @property
    def selector(self) -> str:
        """The ``shardSelector`` of a request for its objects."""
        start, end = (-(-_HASHES * number // self.count)
                      for number in (self.index, self.index + 1))
        return f"shardRange(object.metadata.{self.by}, '{start:#018x}', '{end:#018x}')"

    def owns(self, value: str | None) -> bool:
        """Return whether an object is in this shard.

        :param value: its uid, or its namespace, as `by` says; None for none.
        """
        # The same as that the hash is within the bounds of the selector.
        return fnv1a(value or "") * self.count >> 64 == self.index


def _number(environ: Mapping[str, str], name: str) -> int | None:
    """Read a whole number; None where the variable is not set, or empty."""
    text = environ.get(name, "").strip()
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"{name} must be a whole number, not {text!r}")
    return int(text)
