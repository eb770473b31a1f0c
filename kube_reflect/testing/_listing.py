"""LIST: pages of a consistent state, and the parameters that are refused."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from kube_reflect.object_ref import ApiResource
from kube_reflect.testing import _status as status
from kube_reflect.testing._encoding import Entry, dumps, list_head
from kube_reflect.testing._negotiation import Form
from kube_reflect.testing._requests import Request
from kube_reflect.testing._selection import Selection
from kube_reflect.testing._storage import Collection, Storage, key_of
from kube_reflect.testing._tables import columns_in, table

_INCONSISTENT = -1
_OPTIONS = ("meta.k8s.io", "ListOptions", "")


def parse_version(text: str) -> int | None:
    """A resourceVersion parameter: None where it is not given.

    :raises ApiStatusError: 500, as the real server has it, where it is no number.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise status.invalid_version(text)
    return int(text)


def encode_token(version: int, start: str) -> str:
    """A continue token of the real server's form."""
    token = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": start},
                       separators=(",", ":"))
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def decode_token(text: str) -> tuple[int, str]:
    """The version and the first key of a continue token.

    :raises ApiStatusError: 400 where it is none.
    """
    said = "invalid continue token: continue key is not valid: "
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), "-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise status.bad_request(f"{said}illegal base64 data at input byte 0") from error
    try:
        token = json.loads(raw)
    except ValueError as error:
        first = chr(raw[0]) if raw else ""
        raise status.bad_request(
            f"{said}invalid character '{first}' looking for beginning of value") from error
    fields = token if isinstance(token, dict) else {}
    version, start, form = fields.get("rv"), fields.get("start"), fields.get("v", "")
    if form != "meta.k8s.io/v1" or not isinstance(version, int) or not isinstance(start, str):
        raise status.bad_request(
            f'{said}server does not recognize this encoded version "{form}"')
    return version, start.lstrip("/")


def forbidden_option(*causes: tuple[str, str]) -> status.ApiStatusError:
    """422 for ListOptions that do not go together; field and message of each cause."""
    return status.invalid(*_OPTIONS, [
        ("FieldValueForbidden", field, f"Forbidden: {message}") for field, message in causes])


def _check_match(query: Mapping[str, str]) -> None:
    match = query.get("resourceVersionMatch", "")
    version, token = query.get("resourceVersion", ""), query.get("continue", "")
    field = "resourceVersionMatch"
    if not match:
        return
    if match not in ("Exact", "NotOlderThan"):
        raise status.invalid(*_OPTIONS, [(
            "FieldValueNotSupported", field, f'Unsupported value: "{match}": supported values: '
            f'"Exact", "NotOlderThan", ""')])
    if token:
        raise forbidden_option((field, f"{field} is forbidden when continue is provided"))
    if not version:
        raise forbidden_option((field, f"{field} is forbidden unless resourceVersion is provided"))
    if match == "Exact" and version == "0":
        raise forbidden_option((field, f'{field} "exact" is forbidden for resourceVersion "0"'))


class Lister:
    """Answers the LISTs of one resource."""

    def __init__(self, storage: Storage, resource: ApiResource, custom: bool) -> None:
        self._storage = storage
        self._resource = resource
        self._custom = custom

    def answer(
        self, collection: Collection, request: Request, selection: Selection, form: Form
    ) -> list[bytes]:
        """The body of a LIST, in pieces.

        :raises ApiStatusError: for parameters, versions or tokens that will not do.
        """
        query = request.query
        _check_match(query)
        limit = _limit_of(query)
        prefix = f"{selection.namespace}/" if selection.namespace else ""
        with self._storage.lock:
            version, start = self._where(collection, query, limit)
            entries = collection.page(version, prefix, prefix + start)
        if query.get("resourceVersion") == "0":
            # Served from the watch cache, which knows no pages.
            limit = 0
        page, left = _cut(entries, selection, limit)
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        if selection.shard is not None and form is Form.FULL:
            # The real server loses it where it makes something else of the list.
            metadata["shardInfo"] = {"selector": selection.shard.text}
        if left:
            last = key_of(entries[-left - 1])[len(prefix):]
            metadata["continue"] = encode_token(version, f"/{last}\0")
            if not selection.by_selector:
                metadata["remainingItemCount"] = left
        if form is Form.TABLE:
            include = query.get("includeObject", "Metadata")
            columns = columns_in(self._storage, self._resource)
            return [dumps(table(columns, page, metadata, include)) + b"\n"]
        return self._body(page, metadata, form is Form.PARTIAL)

    def _where(
        self, collection: Collection, query: Mapping[str, str], limit: int
    ) -> tuple[int, str]:
        current = self._storage.version
        wanted = parse_version(query.get("resourceVersion", ""))
        if token := query.get("continue"):
            if wanted:
                raise status.bad_request(
                    "specifying resource version is not allowed when using continue")
            return _from_token(token, collection, current)
        if not wanted:
            return current, ""
        if wanted > current:
            raise status.too_large_version(wanted, current)
        match = query.get("resourceVersionMatch", "")
        # A limit without a match means exactly this version: how it was before there was a match.
        if match != "Exact" and not (limit and not match):
            return current, ""
        if wanted < collection.floor:
            raise status.list_version_expired()
        return wanted, ""

    def _body(
        self, page: list[Entry], metadata: dict[str, Any], partial: bool
    ) -> list[bytes]:
        head, tail = list_head(self._resource, self._custom, partial, metadata)
        pieces = [head]
        comma = b""
        for entry in page:
            pieces.append(comma + (entry.partial() if partial else entry.item()))
            comma = b","
        pieces.append(tail)
        return pieces


def _from_token(token: str, collection: Collection, current: int) -> tuple[int, str]:
    version, start = decode_token(token)
    if version == _INCONSISTENT:
        return current, start
    if version > current:
        raise status.too_large_version(version, current)
    if version < collection.floor:
        raise status.continue_expired(encode_token(_INCONSISTENT, start))
    return version, start


def _limit_of(query: Mapping[str, str]) -> int:
    text = query.get("limit", "") or "0"
    try:
        return max(0, int(text))
    except ValueError:
        raise status.bad_request(
            f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _cut(entries: list[Entry], selection: Selection, limit: int) -> tuple[list[Entry], int]:
    """The entries of a page, and how many come after it, selected or not."""
    page: list[Entry] = []
    for index, entry in enumerate(entries):
        if limit and len(page) == limit:
            return page, len(entries) - index
        if selection.matches(entry):
            page.append(entry)
    return page, 0
