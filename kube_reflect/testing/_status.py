"""The API server's Status bodies, as an exception and as bytes."""

from __future__ import annotations

from typing import Any

from kube_reflect.errors import KubeReflectError
from kube_reflect.object_ref import ApiResource
from kube_reflect.testing._encoding import dumps

Headers = tuple[tuple[str, str], ...]


class ApiStatusError(KubeReflectError):
    """The fake API server refused an operation; over HTTP this is a Status body.

    :ivar code: the HTTP status, 409 for instance.
    :ivar reason: the Status's reason, ``"AlreadyExists"`` for instance, or ``""``.
    :ivar details: the Status's details, or None.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        headers: Headers = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.metadata = metadata or {}
        self.headers = headers

    @property
    def status(self) -> dict[str, Any]:
        """The Status object, its keys in the order of the real server's."""
        status: dict[str, Any] = {
            "kind": "Status", "apiVersion": "v1", "metadata": self.metadata,
            "status": "Failure", "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status

    def body(self) -> bytes:
        """The Status as a response body."""
        return dumps(self.status) + b"\n"


def _details(resource: ApiResource, name: str | None) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.plural
    return details


def qualified(resource: ApiResource) -> str:
    """``deployments.apps``, or ``pods`` for the core group."""
    return f"{resource.plural}.{resource.group}" if resource.group else str(resource.plural)


def not_found(resource: ApiResource, name: str) -> ApiStatusError:
    """404 for an object that does not exist."""
    return ApiStatusError(404, "NotFound", f'{qualified(resource)} "{name}" not found',
                          details=_details(resource, name))


def already_exists(resource: ApiResource, name: str) -> ApiStatusError:
    """409 for a create of what exists."""
    return ApiStatusError(409, "AlreadyExists", f'{qualified(resource)} "{name}" already exists',
                          details=_details(resource, name))


def conflict(resource: ApiResource, name: str, why: str | None = None) -> ApiStatusError:
    """409 for a write that was based on an older version."""
    why = why or ("the object has been modified; please apply your changes to the latest "
                  "version and try again")
    message = f'Operation cannot be fulfilled on {qualified(resource)} "{name}": {why}'
    return ApiStatusError(409, "Conflict", message, details=_details(resource, name))


def unauthorized() -> ApiStatusError:
    """401 for credentials that nobody knows."""
    return ApiStatusError(401, "Unauthorized", "Unauthorized")


def forbidden(
    resource: ApiResource, verb: str, user: str, namespace: str | None, name: str | None
) -> ApiStatusError:
    """403 as RBAC says it."""
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    what = f'{qualified(resource)} "{name}"' if name else qualified(resource)
    message = (f'{what} is forbidden: User "{user}" cannot {verb} resource "{resource.plural}" '
               f'in API group "{resource.group}" {where}')
    return ApiStatusError(403, "Forbidden", message, details=_details(resource, name),
                          headers=NOSNIFF)


def forbidden_path(user: str, verb: str, path: str) -> ApiStatusError:
    """403 for a path that belongs to no resource."""
    message = f'forbidden: User "{user}" cannot {verb} path "{path}"'
    return ApiStatusError(403, "Forbidden", message, details={}, headers=NOSNIFF)


def bad_request(message: str) -> ApiStatusError:
    """400 for parameters or a body that make no sense."""
    return ApiStatusError(400, "BadRequest", message)


def invalid(
    group: str, kind: str, name: str, causes: list[tuple[str, str, str]]
) -> ApiStatusError:
    """422 with its causes.

    :param causes: tuples of reason, field and message.
    """
    said = [f"{field}: {message}" for _, field, message in causes]
    joined = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    full_kind = f"{kind}.{group}" if group else kind
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    details["kind"] = kind
    details["causes"] = [{"reason": reason, "message": message, "field": field}
                         for reason, field, message in causes]
    return ApiStatusError(422, "Invalid", f'{full_kind} "{name}" is invalid: {joined}',
                          details=details)


def invalid_version(text: str) -> ApiStatusError:
    """500, without a reason, which is what a resource version that is no number gets."""
    message = (f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: '
               f'parsing "{text}": invalid syntax')
    return ApiStatusError(500, "", message)


def invalid_shard_selector(why: str) -> ApiStatusError:
    """500, without a reason, which is what a shardSelector that does not parse gets."""
    return ApiStatusError(500, "", f"invalid shard selector: {why}")


def too_large_version(wanted: int, current: int) -> ApiStatusError:
    """504 for a version that the server has not reached."""
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return ApiStatusError(504, "Timeout", message, headers=(("Retry-After", "1"),),
                          details={"causes": causes, "retryAfterSeconds": 1})


def too_old_version(wanted: int, oldest: int) -> ApiStatusError:
    """410 for a watch from before the history."""
    return ApiStatusError(410, "Expired", f"too old resource version: {wanted} ({oldest})")


def list_version_expired() -> ApiStatusError:
    """410 for a LIST of an exact version from before the history."""
    return ApiStatusError(410, "Expired",
                          "The resourceVersion for the provided list is too old.")


def continue_expired(token: str) -> ApiStatusError:
    """410 for an old continue token, with one that goes on inconsistently."""
    message = (
        "The provided continue parameter is too old to display a consistent list result. "
        "You can start a new list without the continue parameter, or use the continue token in "
        "this response to retrieve the remainder of the results. Continuing with the provided "
        "token results in an inconsistent list - objects that were created, modified, or deleted "
        "between the time the first chunk was returned and now may show up in the list.")
    return ApiStatusError(410, "Expired", message, metadata={"continue": token})


def method_not_allowed() -> ApiStatusError:
    """405 for a verb that the resource lacks."""
    return ApiStatusError(405, "MethodNotAllowed",
                          "the server does not allow this method on the requested resource",
                          details={})


def unsupported_media_type() -> ApiStatusError:
    """415 for a body in another format than JSON."""
    message = ("the body of the request was in an unknown format - accepted media types "
               "include: application/json")
    return ApiStatusError(415, "UnsupportedMediaType", message)


def unsupported_patch() -> ApiStatusError:
    """415 for a patch that is no merge patch."""
    return ApiStatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})


def no_such_resource() -> ApiStatusError:
    """404 for a path within a known group that leads to nothing."""
    return ApiStatusError(404, "NotFound", "the server could not find the requested resource",
                          details={})


NOSNIFF: Headers = (("X-Content-Type-Options", "nosniff"),)
