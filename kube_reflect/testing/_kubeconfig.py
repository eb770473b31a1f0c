"""A kubeconfig that leads to a server."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

_NAME = "kube-reflect-testing"


def write_kubeconfig(path: str | os.PathLike[str], url: str, token: str | None,
                     ca_cert: str | None) -> Path:
    """Write one, readable for its owner alone, and return its path.

    It is YAML in the form of JSON, which every reader of kubeconfigs takes.
    """
    cluster: dict[str, Any] = {"server": url}
    if ca_cert is not None:
        cluster["certificate-authority"] = os.path.abspath(ca_cert)
    elif url.startswith("https"):
        cluster["insecure-skip-tls-verify"] = True
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": _NAME,
        "clusters": [{"name": _NAME, "cluster": cluster}],
        "users": [{"name": _NAME, "user": {} if token is None else {"token": token}}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME,
                                                 "namespace": "default"}}],
    }
    found = Path(path)
    with open(os.open(found, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.write("\n")
    return found
