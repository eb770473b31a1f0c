"""A Flask application, as its users write it."""

from __future__ import annotations

import os
import threading
from typing import Any

from flask import Flask
from kubernetes import client

from kube_reflect.contrib.flask import KubeReflect, health

NAMESPACE = os.environ.get("SHOP_NAMESPACE", "shop")

kube = KubeReflect()
pods = kube.reflector("pods", client.CoreV1Api.list_namespaced_pod, NAMESPACE,
                      indexers={"node": lambda mapping: [mapping["spec"].get("nodeName")]})

app = Flask(__name__)
kube.init_app(app)
app.register_blueprint(health)


@app.get("/pid")
def pid() -> Any:
    """Say which process answers, and what it has started."""
    threads = [one.name for one in threading.enumerate() if one.name.startswith("kube-reflect")]
    return {"pid": os.getpid(), "threads": threads}


@app.get("/pods/<name>")
def show(name: str) -> Any:
    """Look for a pod."""
    found = pods.store.get(name, NAMESPACE)
    return {"pid": os.getpid(), "node": found.spec.node_name} if found else ("not there", 404)


@app.get("/busy")
def busy() -> Any:
    """Read, in every way, until somebody has had enough."""
    store = pods.store
    while True:
        store.state(namespace=NAMESPACE)
        store.by_index("node", "node-1")
        store.snapshot().keys()
        store.find(lambda pod: False)
