"""The Accept header, and the headers and encoding of an answer."""

from __future__ import annotations

import enum
import uuid
import zlib

from kube_reflect.testing import _status as status
from kube_reflect.testing._requests import Request

_JSON_TYPES = ("application/json", "application/*", "*/*", "")
_GZIP_FROM = 128 * 1024
_GZIP_PIECE = 64 * 1024
# A response that Go's server can buffer whole gets a Content-Length.
LENGTH_UP_TO = 2048
_FLOW_SCHEMA = str(uuid.uuid4())
_PRIORITY_LEVEL = str(uuid.uuid4())


class Form(enum.Enum):
    """In which form objects are asked for."""

    FULL = enum.auto()
    PARTIAL = enum.auto()
    TABLE = enum.auto()


def form_of(request: Request) -> Form:
    """The form that the Accept header asks for, the first one that can be had.

    :raises ApiStatusError: 406 where nothing that is asked for can be had.
    """
    wanted = "PartialObjectMetadataList" if request.verb == "list" else "PartialObjectMetadata"
    other = "PartialObjectMetadata" if request.verb == "list" else "PartialObjectMetadataList"
    for clause in request.headers.get("accept").split(","):
        media_type, *rest = (part.strip() for part in clause.split(";"))
        parameters = dict(part.partition("=")[::2] for part in rest)
        if media_type not in _JSON_TYPES:
            continue
        as_kind = parameters.get("as")
        if as_kind is None:
            return Form.FULL
        known = (parameters.get("g") == "meta.k8s.io"
                 and parameters.get("v") in ("v1", "v1beta1"))
        if as_kind == wanted and known:
            return Form.PARTIAL
        if as_kind == "Table" and known and request.verb in ("get", "list"):
            return Form.TABLE
        if as_kind == other and known:
            is_it = "a list" if request.verb == "list" else "not a list"
            raise status.ApiStatusError(
                406, "NotAcceptable", f"you requested {other}, but the requested object is {is_it}")
    raise status.ApiStatusError(406, "NotAcceptable", "406: Not Acceptable", details={})


def json_headers(
    extra: status.Headers = (), *, admitted: bool = True
) -> list[tuple[str, str]]:
    """The headers of an ordinary answer.

    :param admitted: whether the request got as far as flow control, which 401 does not.
    """
    headers = headers_of("application/json", extra)
    return headers if admitted else headers[:-2]


def headers_of(content_type: str, extra: status.Headers = ()) -> list[tuple[str, str]]:
    """The headers of an answer, its body in a given format."""
    return [
        ("Audit-Id", str(uuid.uuid4())),
        ("Cache-Control", "no-cache, private"),
        ("Content-Type", content_type),
        *extra,
        ("X-Kubernetes-Pf-Flowschema-Uid", _FLOW_SCHEMA),
        ("X-Kubernetes-Pf-Prioritylevel-Uid", _PRIORITY_LEVEL),
    ]


def wants_gzip(request: Request, size: int) -> bool:
    """Whether an answer of a size goes out compressed."""
    offered = request.headers.get("accept-encoding").split(",")
    names = [offer.partition(";")[0].strip().lower() for offer in offered]
    return size > _GZIP_FROM and "gzip" in names


def gzipped(chunks: list[bytes]) -> list[bytes]:
    """The chunks as pieces of one gzip stream."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    packed = b"".join([packer.compress(chunk) for chunk in chunks]) + packer.flush()
    return [packed[start:start + _GZIP_PIECE] for start in range(0, len(packed), _GZIP_PIECE)]
