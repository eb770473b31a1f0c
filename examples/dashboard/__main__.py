"""A page that shows the pods of each namespace as they come, change and go.

    python examples/dashboard                a fake cluster that lives, and fails when told to
    python examples/dashboard --real         the cluster of the kubeconfig, reading only

Needs Flask, which ``kube_reflect[flask]`` brings. Then open the address that it prints.
"""

from __future__ import annotations

import argparse
import contextlib

from app import create_app
from cluster import LivingCluster
from werkzeug.serving import make_server

from kube_reflect import stop_on_signals


def main() -> None:
    """Serve the page until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python examples/dashboard")
    parser.add_argument("--real", action="store_true",
                        help="show the cluster that the kubeconfig says, in the place of a fake")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    cluster = None if given.real else LivingCluster()
    app, close = create_app(cluster)
    with stop_on_signals() as stop, contextlib.ExitStack() as stack:
        if cluster is not None:
            stack.enter_context(cluster)
        stack.callback(close)
        server = make_server("127.0.0.1", given.port, app, threaded=True)
        stack.callback(server.server_close)
        print(f"http://127.0.0.1:{server.server_port}/", flush=True)
        with stop.at_once():
            server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
