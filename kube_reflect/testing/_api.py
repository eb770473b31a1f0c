"""From an exchange to its answer: routing, verbs, bodies."""

from __future__ import annotations

import json
import logging
from typing import Any

from kube_reflect.object_ref import ApiResource
from kube_reflect.testing import _status as status
from kube_reflect.testing._access import Access
from kube_reflect.testing._discovery import discover
from kube_reflect.testing._encoding import Entry, dumps
from kube_reflect.testing._http import Disconnected, Exchange
from kube_reflect.testing._listing import Lister
from kube_reflect.testing._negotiation import (
    LENGTH_UP_TO, Form, form_of, gzipped, headers_of, json_headers, wants_gzip)
from kube_reflect.testing._objects import Objects
from kube_reflect.testing._requests import Request, Target
from kube_reflect.testing._resources import Registry
from kube_reflect.testing._reviews import is_review, review
from kube_reflect.testing._selection import Selection
from kube_reflect.testing._status import ApiStatusError
from kube_reflect.testing._storage import Storage, key_of
from kube_reflect.testing._tables import columns_in, table
from kube_reflect.testing._watching import Watch, WatchOptions

logger = logging.getLogger(__name__)

_TEXT = "text/plain; charset=utf-8"
_HEALTH = ("/healthz", "/livez", "/readyz")
_MERGES = ("application/merge-patch+json", "application/strategic-merge-patch+json")
# Kinds of which a DELETE answers with the object, where others answer with a Status.
_DELETE_GIVES_OBJECT = {"pods", "services", "persistentvolumes", "persistentvolumeclaims",
                        "podtemplates", "serviceaccounts", "resourcequotas"}


class Api:
    """Answers every exchange of one server; used by the threads of all connections."""

    def __init__(self, registry: Registry, storage: Storage, objects: Objects, access: Access,
                 options: WatchOptions) -> None:
        self._registry = registry
        self._storage = storage
        self._objects = objects
        self._access = access
        self._options = options

    def answer(self, exchange: Exchange) -> None:
        """Answer an exchange.

        :raises Disconnected: the connection ended first.
        """
        try:
            self._route(exchange)
        except ApiStatusError as error:
            self.refuse(exchange, error)
        except Disconnected:
            raise
        except Exception as error:
            logger.exception("the fake API server failed on %s", exchange.request.path)
            if exchange.started:
                raise Disconnected from error
            self.refuse(exchange, ApiStatusError(500, "InternalError", repr(error)))

    def refuse(self, exchange: Exchange, error: ApiStatusError) -> None:
        """Answer with a Status."""
        headers = json_headers(error.headers, admitted=error.code != 401)
        exchange.send(error.code, headers, error.body())

    def _route(self, exchange: Exchange) -> None:
        request = exchange.request
        target = request.target
        if request.path in _HEALTH:
            exchange.send(200, headers_of(_TEXT, status.NOSNIFF), b"ok")
            return
        resource = target and self._registry.at(target.group, target.version, target.plural)
        self._access.check(request, resource)
        if is_review(request):
            self._send_object(exchange, 201, review(self._access, request, _body(request)))
            return
        if target is None:
            found = discover(self._registry, request.path, self._options.streaming_list)
            if found is not None and request.method == "GET":
                self._send_object(exchange, 200, found)
                return
        if target is None or resource is None or target.subresource not in (None, "status") \
                or (target.namespace is not None and not resource.namespaced):
            if target is not None and self._registry.has_builtin(target.group, target.version):
                raise status.no_such_resource()
            exchange.send(404, headers_of(_TEXT, status.NOSNIFF), b"404 page not found\n")
        elif target.subresource is None and request.verb not in self._registry.verbs(resource):
            raise status.method_not_allowed()
        elif request.verb == "watch":
            self._watch(exchange, target, resource)
        elif request.verb == "list":
            self._list(exchange, target, resource)
        else:
            self._write(exchange, target, resource)

    def _selection(self, request: Request, target: Target, resource: ApiResource) -> Selection:
        # An empty namespace in the path is all of them.
        return Selection(resource, self._registry.is_custom(resource), target.namespace or None,
                         request.query.get("labelSelector", ""),
                         request.query.get("fieldSelector", ""),
                         # A server without shards knows nothing of the parameter.
                         request.query.get("shardSelector", "") if self._options.sharding else "")

    def _list(self, exchange: Exchange, target: Target, resource: ApiResource) -> None:
        request = exchange.request
        form = form_of(request)
        selection = self._selection(request, target, resource)
        lister = Lister(self._storage, resource, self._registry.is_custom(resource))
        with self._storage.lock:
            collection = self._objects.collection(resource)
        pieces = lister.answer(collection, request, selection, form)
        size = sum(map(len, pieces))
        if size <= LENGTH_UP_TO:
            exchange.send(200, json_headers(), b"".join(pieces))
            return
        headers = json_headers()
        if wants_gzip(request, size):
            headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
            pieces = gzipped(pieces)
        exchange.start(200, headers)
        exchange.chunks(pieces)
        exchange.end()

    def _watch(self, exchange: Exchange, target: Target, resource: ApiResource) -> None:
        request = exchange.request
        partial = form_of(request) is Form.PARTIAL
        selection = self._selection(request, target, resource)
        with self._storage.lock:
            collection = self._objects.collection(resource)
        Watch(exchange, self._storage, collection, resource,
              self._registry.is_custom(resource), selection, partial, self._options).run()

    def _write(self, exchange: Exchange, target: Target, resource: ApiResource) -> None:
        request = exchange.request
        namespace, name, verb = target.namespace, target.name, request.verb
        if resource.namespaced and namespace is None:
            raise status.method_not_allowed()
        if namespace == "" and name:
            raise status.bad_request("Namespace parameter required.")
        form = form_of(request)
        code = 200
        if verb == "get" and name:
            entry = self._objects.get(resource, namespace, name)
        elif verb == "create" and name is None:
            entry, code = self._objects.create(resource, namespace, _body(request)), 201
        elif verb == "update" and name:
            entry = self._objects.update(resource, namespace, _body(request), name=name,
                                         subresource=target.subresource)
        elif verb == "patch" and name:
            entry = self._objects.patch(resource, namespace, name, _patch(request),
                                        subresource=target.subresource)
        elif verb == "delete" and name:
            self._delete(exchange, target, resource, name)
            return
        elif verb == "deletecollection":
            self._delete_all(exchange, target, resource)
            return
        else:
            raise status.method_not_allowed()
        if form is Form.TABLE:
            metadata = {"resourceVersion": str(entry.version)}
            include = request.query.get("includeObject", "Metadata")
            columns = columns_in(self._storage, resource)
            self._send_object(exchange, code, table(columns, [entry], metadata, include))
        else:
            self._send_entry(exchange, code, entry, partial=form is Form.PARTIAL)

    def _delete(
        self, exchange: Exchange, target: Target, resource: ApiResource, name: str
    ) -> None:
        options = _body(exchange.request) if exchange.request.body else {}
        entry = self._objects.delete(resource, target.namespace, name, options)
        metadata = entry.obj["metadata"]
        held = bool(metadata.get("finalizers"))
        if held or (not resource.group and resource.plural in _DELETE_GIVES_OBJECT):
            self._send_entry(exchange, 200, entry, partial=False)
            return
        details: dict[str, Any] = {"name": name}
        if resource.group:
            details["group"] = resource.group
        details.update(kind=resource.plural, uid=metadata["uid"])
        self._send_object(exchange, 200, {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": details})

    def _delete_all(self, exchange: Exchange, target: Target, resource: ApiResource) -> None:
        selection = self._selection(exchange.request, target, resource)
        with self._storage.lock:
            entries = list(self._objects.collection(resource).entries.values())
            doomed = sorted((entry for entry in entries if selection.matches(entry)),
                            key=key_of)
            for entry in doomed:
                self._objects.delete(resource, entry.namespace, entry.name)
            version = str(self._storage.version)
        self._send_object(exchange, 200, {
            "kind": f"{resource.kind}List", "apiVersion": resource.api_version,
            "metadata": {"resourceVersion": version}, "items": [entry.obj for entry in doomed]})

    def _send_entry(self, exchange: Exchange, code: int, entry: Entry, partial: bool) -> None:
        self._send_bytes(exchange, code, entry.partial() if partial else entry.full())

    def _send_object(self, exchange: Exchange, code: int, obj: dict[str, Any]) -> None:
        self._send_bytes(exchange, code, dumps(obj))

    def _send_bytes(self, exchange: Exchange, code: int, body: bytes) -> None:
        exchange.send(code, json_headers(), body + b"\n")


def _body(request: Request) -> Any:
    content_type = request.headers.get("content-type", "application/json").partition(";")[0]
    if content_type.strip() not in ("application/json", "*/*", ""):
        raise status.unsupported_media_type()
    return _json(request)


def _patch(request: Request) -> Any:
    content_type = request.headers.get("content-type").partition(";")[0].strip()
    if content_type not in _MERGES:
        raise status.unsupported_patch()
    return _json(request)


def _json(request: Request) -> Any:
    try:
        return json.loads(request.body)
    except ValueError as error:
        raise status.bad_request(f"the object provided is no JSON: {error}") from error
