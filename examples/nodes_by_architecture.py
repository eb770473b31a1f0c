"""Nodes of one architecture, by label, read by a web server's handler.

    python examples/nodes_by_architecture.py arm64 8080
    curl http://127.0.0.1:8080/nodes

Every request is answered from memory: none of them waits for the API server, however many come.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kubernetes import client, config

from kube_reflect import Config, Reflector, stop_on_signals


class NodeServer(ThreadingHTTPServer):
    """An HTTP server whose handlers read the nodes from a reflector's store."""

    def __init__(self, port: int, nodes: Reflector[client.V1Node]) -> None:
        super().__init__(("127.0.0.1", port), NodeHandler)
        self.nodes = nodes

    @property
    def url(self) -> str:
        """Where the nodes are."""
        return f"http://127.0.0.1:{self.server_port}/nodes"


class NodeHandler(BaseHTTPRequestHandler):
    """Answers /nodes, /nodes/NAME and /healthz."""

    server: NodeServer

    def do_GET(self) -> None:
        """Answer from the store."""
        store = self.server.nodes.store
        if self.path == "/healthz":
            live = self.server.nodes.status.live
            self.reply(HTTPStatus.OK if live else HTTPStatus.SERVICE_UNAVAILABLE, {"live": live})
        elif self.path == "/nodes":
            self.reply(HTTPStatus.OK, sorted(ref.name for ref in store.keys()))
        elif node := store.get(self.path.removeprefix("/nodes/")):
            self.reply(HTTPStatus.OK, node.metadata and node.metadata.labels)
        else:
            self.reply(HTTPStatus.NOT_FOUND, {"error": "no such node"})

    def reply(self, status: HTTPStatus, body: Any) -> None:
        """Send a JSON answer."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Log no requests."""


def say_where(server: NodeServer) -> None:
    """Print the address."""
    print(server.url, flush=True)


def main(
    v1: client.CoreV1Api,
    architecture: str = "amd64",
    port: int = 8080,
    on_start: Callable[[NodeServer], None] = say_where,
) -> None:
    """Serve the names of the nodes until interrupted.

    :param v1: the client's API for the cluster.
    :param architecture: value of the nodes' label ``kubernetes.io/arch``.
    :param port: where to listen on loopback; 0 takes a free one.
    :param on_start: is told the server once it is about to serve.
    """
    of_architecture = Config(label_selector=f"kubernetes.io/arch={architecture}")
    with Reflector(v1.list_node, config=of_architecture) as nodes:
        nodes.store.wait_until_ready(timeout=30)
        with NodeServer(port, nodes) as server:
            on_start(server)
            server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    wanted = sys.argv[1] if len(sys.argv) > 1 else "amd64"
    at = int(sys.argv[2]) if len(sys.argv) > 2 else 8080
    config.load_config()
    v1 = client.CoreV1Api()
    with stop_on_signals() as stop, stop.at_once():
        main(v1, wanted, at)
