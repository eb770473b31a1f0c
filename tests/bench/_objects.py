"""Objects that are less alike than pods of one cluster are."""

from __future__ import annotations

import base64
import gzip
import json
import random
import uuid
from collections.abc import Callable
from typing import Any

from tests.bench._pods import DATA

__all__ = ["KINDS"]


def _dump(obj: dict[str, Any]) -> bytes:
    return json.dumps(obj, separators=(",", ":")).encode()


def _word(chance: random.Random) -> str:
    return "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=chance.randint(5, 14)))


def _metadata(chance: random.Random, manager: str, fields: dict[str, Any]) -> dict[str, Any]:
    labels = {"app": _word(chance), "release": _word(chance), "team": chance.choice("abcdef")}
    stamp = f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T01:02:03Z"
    return {"name": f"{_word(chance)}-{_word(chance)}", "namespace": f"ns-{chance.randint(0, 40)}",
            "uid": str(uuid.UUID(int=chance.getrandbits(128))),
            "resourceVersion": str(chance.randint(1, 10**9)), "creationTimestamp": stamp,
            "labels": labels, "managedFields": [
                {"manager": manager, "operation": "Update", "apiVersion": "v1", "time": stamp,
                 "fieldsType": "FieldsV1", "fieldsV1": fields}]}


def pods(count: int) -> list[bytes]:
    """Recorded pods of one cluster, in the order of a list."""
    with gzip.open(DATA) as lines:
        recorded = lines.read().splitlines()
    return [recorded[number % len(recorded)] for number in range(count)]


def shuffled_pods(count: int) -> list[bytes]:
    """The same in any order."""
    found = pods(count)
    random.Random(1).shuffle(found)
    return found


def strange_pods(count: int) -> list[bytes]:
    """Pods with names, images, environments and labels that nothing else has."""
    chance, found = random.Random(2), []
    for one in map(json.loads, shuffled_pods(count)):
        one["metadata"].update(_metadata(chance, _word(chance), {
            "f:metadata": {f"f:{_word(chance)}": {} for _ in range(chance.randint(1, 30))}}))
        for container in one["spec"]["containers"]:
            container["image"] = (f"{_word(chance)}.example/{_word(chance)}@sha256:"
                                  f"{chance.getrandbits(256):064x}")
            container["args"] = [_word(chance) for _ in range(chance.randint(0, 12))]
            container["env"] = [{"name": _word(chance).upper(), "value": _word(chance) * 2}
                                for _ in range(chance.randint(0, 40))]
        one["status"]["podIP"] = f"10.{chance.randint(0, 255)}.{chance.randint(0, 255)}.7"
        found.append(_dump(one))
    return found


def events(count: int) -> list[bytes]:
    """Events, small ones with messages."""
    chance, found = random.Random(3), []
    reasons = ["Scheduled", "Pulling", "Pulled", "Created", "Started", "Unhealthy", "BackOff"]
    for _ in range(count):
        name, reason = _word(chance), chance.choice(reasons)
        found.append(_dump({
            "kind": "Event", "apiVersion": "v1",
            "metadata": _metadata(chance, "kubelet", {"f:count": {}, "f:firstTimestamp": {}}),
            "involvedObject": {"kind": "Pod", "namespace": "default", "name": name, "apiVersion":
                               "v1", "uid": str(uuid.UUID(int=chance.getrandbits(128)))},
            "reason": reason, "message": f"{reason}: {name} on {_word(chance)}, {_word(chance)}",
            "source": {"component": "kubelet", "host": f"node-{chance.randint(0, 99)}"},
            "count": chance.randint(1, 9), "type": "Normal", "eventTime": None}))
    return found


def secrets(count: int) -> list[bytes]:
    """Secrets of random bytes, which nothing makes smaller than three quarters."""
    chance = random.Random(4)
    return [_dump({"kind": "Secret", "apiVersion": "v1", "metadata": _metadata(
                chance, "kubectl-create", {"f:data": {".": {}, "f:token": {}}, "f:type": {}}),
                "data": {"token": base64.b64encode(
                    chance.randbytes(chance.randint(16, 4000))).decode()}, "type": "Opaque"})
            for _ in range(count)]


def _schema(chance: random.Random, depth: int) -> dict[str, Any]:
    if depth == 0 or chance.random() < 0.3:
        return {"type": chance.choice(["string", "integer", "boolean"]), "description": " ".join(
            chance.choices(_WORDS, k=chance.randint(3, 40)))}
    return {"type": "object", "description": " ".join(chance.choices(_WORDS, k=12)),
            "properties": {chance.choice(_WORDS): _schema(chance, depth - 1)
                           for _ in range(chance.randint(2, 9))}}


_WORDS = [_word(random.Random(number)) for number in range(2000)]


def definitions(count: int) -> list[bytes]:
    """Definitions of custom resources: long schemas, full of prose."""
    chance = random.Random(5)
    return [_dump({"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1",
                   "metadata": _metadata(chance, "helm", {"f:spec": {"f:group": {}}}),
                   "spec": {"versions": [{"name": "v1", "served": True, "storage": True, "schema":
                                          {"openAPIV3Schema": _schema(chance, 5)}}]}})
            for _ in range(count)]


def mixed(count: int) -> list[bytes]:
    """All of these in one cache."""
    found = [json for make in (strange_pods, events, secrets) for json in make(count // 3)]
    random.Random(6).shuffle(found)
    return found


def odd_then_pods(count: int) -> list[bytes]:
    """Pods, after ten objects of quite another kind."""
    return definitions(10) + pods(count - 10)


def drifting(count: int) -> list[bytes]:
    """Events, then secrets, then pods."""
    return events(count // 3) + secrets(count // 3) + shuffled_pods(count // 3)


#: What they are called, and how so many are made.
KINDS: dict[str, Callable[[int], list[bytes]]] = {
    make.__name__.replace("_", " "): make
    for make in (pods, shuffled_pods, strange_pods, events, secrets, definitions, mixed,
                 odd_then_pods, drifting)}
