"""SelfSubjectAccessReview: what a client asks to learn whether it may do something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kube_reflect.testing._access import Access
from kube_reflect.testing._requests import Request, Target

GROUP, PLURAL = "authorization.k8s.io", "selfsubjectaccessreviews"


def is_review(request: Request) -> bool:
    """Whether a request is to create a SelfSubjectAccessReview."""
    target = request.target
    return (target is not None and (target.group, target.plural) == (GROUP, PLURAL)
            and request.verb == "create")


def review(access: Access, request: Request, body: Any) -> dict[str, Any]:
    """Answer one, by the rules that requests are refused by."""
    spec = body.get("spec") if isinstance(body, Mapping) else None
    wanted = spec.get("resourceAttributes") if isinstance(spec, Mapping) else None
    allowed = access.allows(access.user(request), _meant(wanted or {}))
    reason = "" if allowed else "the fake API server was told to forbid it"
    return {"kind": "SelfSubjectAccessReview", "apiVersion": f"{GROUP}/v1",
            "metadata": {"creationTimestamp": None}, "spec": spec or {},
            "status": {"allowed": allowed, **({"reason": reason} if reason else {})}}


def _meant(wanted: Mapping[str, Any]) -> Request:
    """The request that is asked about."""
    group, plural = wanted.get("group") or "", wanted.get("resource") or ""
    version = wanted.get("version") or "v1"
    namespace = wanted.get("namespace") or None
    path = f"/apis/{group}/{version}" if group else f"/api/{version}"
    path += (f"/namespaces/{namespace}" if namespace else "") + f"/{plural}"
    target = Target(group, version, plural, namespace, wanted.get("name") or None,
                    wanted.get("subresource") or None)
    return Request("GET", path, verb=wanted.get("verb") or "", target=target)
