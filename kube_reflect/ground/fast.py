"""The parser of the extra ``fast``."""

from __future__ import annotations

import msgspec

__all__ = ["Raw", "cut", "dumps", "essentials", "levels", "loads"]


class Metadata(msgspec.Struct, gc=False):
    """What the store needs to know of an object's metadata."""

    name: str
    uid: str
    resourceVersion: str
    namespace: str | None = None
    labels: dict[str, str] | None = None


class Essentials(msgspec.Struct, gc=False):
    """What the store needs to know of an object."""

    kind: str
    apiVersion: str
    metadata: Metadata


# Each is a function of C, with no frame of Python around it.

#: Parse one JSON value; ValueError for what is no JSON, or what only the standard library reads.
loads = msgspec.json.Decoder().decode
#: Return a value as JSON, without white space; TypeError for what JSON does not know.
dumps = msgspec.json.Encoder().encode
#: Parse what is to be known of an object, and skip the rest; some 9 us. That all of it is JSON is
#: checked; ValueError for all but the plainest of objects.
essentials = msgspec.json.Decoder(Essentials).decode
#: JSON that is cut out of more of it, and not parsed.
Raw = msgspec.Raw
#: Cut an object, or a list, into its values, none of which is parsed.
cut = msgspec.json.Decoder(dict[str, Raw] | list[Raw]).decode
#: Cut an object and the objects and lists in it, in one scan; plain values in it are parsed.
levels = msgspec.json.Decoder(
    dict[str, dict[str, Raw] | list[Raw] | str | int | float | bool | None]).decode
