"""Servers that load an application, with its reflector, before they fork their workers."""

from __future__ import annotations

import multiprocessing

from kube_reflect import Reflector

from tests.support.fork_helpers import SOON, Child, Cluster, connection, goes_on, watch_dog

# What the application's module would hold.
application: Reflector | None = None


def preload(cluster: Cluster) -> Reflector:
    """Import the application: in the parent, or in a process that inherits nothing."""
    global application
    if application is None:
        application = cluster.started()
    return application


def serve(url: str, ca_cert: str, tells: bool) -> None:
    """What a worker process does."""
    watch_dog()
    cluster = Cluster(url, ca_cert)
    reflector = preload(cluster)
    if tells:
        reflector.after_fork()
        reflector.after_fork()
    assert {pod.metadata.name for pod in reflector.store.state()} >= {"first"}
    goes_on(reflector, cluster)


def server(cluster: Cluster, model: str, start: str, *_: str) -> None:
    """A master that loads the application, and its workers, which come and go."""
    reflector = preload(cluster)
    before = connection(reflector)
    # Celery's masters use what they load, gunicorn's and uWSGI's do not.
    if model == "celery":
        goes_on(reflector, cluster)
    configuration = cluster.configuration
    arguments = configuration.host, configuration.ssl_ca_cert, model == "uwsgi"
    # A spawned process imports everything anew, so once is enough of that.
    for _ in range(1 if start == "spawn" else 2):
        if start == "os":
            children = [Child(lambda: serve(*arguments)) for _ in range(2)]
            for child in children:
                child.join()
        elif model == "celery":
            with multiprocessing.get_context(start).Pool(2, maxtasksperchild=1) as pool:
                jobs = [arguments] * (2 if start == "spawn" else 3)
                pool.starmap_async(serve, jobs, chunksize=1).get(2 * SOON)
        else:
            processes = [multiprocessing.get_context(start).Process(target=serve, args=arguments)
                         for _ in range(2)]
            for process in processes:
                process.start()
            for process in processes:
                process.join(2 * SOON)
                assert process.exitcode == 0
    goes_on(reflector, cluster)
    assert connection(reflector) == before
    assert reflector.status.reconnects == 0
    reflector.close()
