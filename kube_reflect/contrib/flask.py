"""Flask: reflectors that start with the first request of the process that serves it::

    from kube_reflect.contrib.flask import KubeReflect, health

    kube = KubeReflect()
    pods = kube.reflector("pods", client.CoreV1Api.list_namespaced_pod, "shop")

    def create_app():
        app = Flask(__name__)
        kube.init_app(app)
        app.register_blueprint(health)
        return app

Configuration, as keys of the application:

``KUBE_REFLECT_CLIENT``
    a function that makes the `kubernetes.client.ApiClient`. None: as
    ``kubernetes.config.load_config`` finds it.
``KUBE_REFLECT_WAIT``
    seconds for which a request waits for the first list; then it is answered with 503. 10.
``KUBE_REFLECT_RETRY_AFTER``
    seconds after which the 503 says to come again. 5.
``KUBE_REFLECT_MAX_STALENESS``
    seconds without contact with the API server after which ``/readyz`` turns red. None: never.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

import click
from flask import Blueprint, Flask, current_app
from flask.cli import AppGroup
from flask.typing import ResponseReturnValue
from kubernetes.config import ConfigException
from werkzeug.exceptions import ServiceUnavailable

from kube_reflect.contrib import health as answers
from kube_reflect.contrib.declared import Declaration, Group, default_client
from kube_reflect.dispatcher import Subscription
from kube_reflect.errors import KubeReflectError, NotReady, StaleCache, WriterDropped
from kube_reflect.reflector import ListOf, Reflector
from kube_reflect.status import Status
from kube_reflect.store import Store, Writer

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from kube_reflect.reflector import Unnamed

__all__ = ["Declared", "KubeReflect", "health"]

K = TypeVar("K")

NAME = "kube_reflect"
DEFAULTS: dict[str, Any] = {
    "KUBE_REFLECT_CLIENT": None,
    "KUBE_REFLECT_WAIT": 10.0,
    "KUBE_REFLECT_RETRY_AFTER": 5,
    "KUBE_REFLECT_MAX_STALENESS": None,
}


def _group(app: Flask) -> Group:
    try:
        group: Group = app.extensions[NAME]
    except KeyError:
        raise RuntimeError(f"KubeReflect.init_app was not called for {app.name!r}") from None
    return group


class Declared(Generic[K]):
    """A reflector as it was declared; in each application that runs, another one.

    To be used where Flask has a current application: in a request, a command, or
    ``with app.app_context()``. Made by `KubeReflect.reflector`.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def store(self) -> Store[K]:
        """The store, when it is ready; the first use in a process starts the reflector.

        :raises NotReady: after KUBE_REFLECT_WAIT seconds; a request that does not catch it is
            answered with 503.
        """
        app: Flask = current_app
        return _group(app).store(self.name, app.config["KUBE_REFLECT_WAIT"])

    @property
    def reflector(self) -> Reflector[K]:
        """The reflector itself, started."""
        return _group(current_app).reflector(self.name).start()

    @property
    def status(self) -> Status:
        """How the reflector is; starts nothing."""
        return _group(current_app).reflector(self.name).status

    def subscribe(self, **options: Any) -> Subscription[K]:
        """Return all that is there, and then each change; see `Reflector.subscribe`."""
        return self.reflector.subscribe(**options)


class KubeReflect:
    """The extension; one may serve several applications, each with reflectors of its own.

    :param app: an application to use it in; or call `init_app`.
    """

    def __init__(self, app: Flask | None = None) -> None:
        self._declarations: dict[str, Declaration] = {}
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Use it in an application; asks no server and starts no thread.

        :raises ValueError: for a key ``KUBE_REFLECT_…`` that there is not.
        """
        unknown = {key for key in app.config if key.startswith("KUBE_REFLECT_")} - set(DEFAULTS)
        if unknown:
            raise ValueError(f"there is no {', '.join(sorted(unknown))}; "
                             f"there are {', '.join(DEFAULTS)}")
        for key, value in DEFAULTS.items():
            app.config.setdefault(key, value)
        app.extensions[NAME] = Group(
            self._declarations, lambda: (app.config["KUBE_REFLECT_CLIENT"] or default_client)())
        for kind in (NotReady, StaleCache, WriterDropped):
            app.register_error_handler(kind, _unavailable)
        app.cli.add_command(_commands)

    @overload
    def reflector(self, name: str, list_func: Callable[..., ListOf[K]], *args: Any,
                  model: None = None, metadata_only: Literal[False] = False,
                  **options: Unpack[Unnamed]) -> Declared[K]: ...

    @overload
    def reflector(self, name: str, list_func: Callable[..., object], *args: Any,
                  model: Callable[[dict[str, Any]], K], metadata_only: bool = ...,
                  **options: Unpack[Unnamed]) -> Declared[K]: ...

    @overload
    def reflector(self, name: str, list_func: Any, *args: Any, model: None = None,
                  metadata_only: bool = ..., **options: Unpack[Unnamed]) -> Declared[Any]: ...

    def reflector(self, name: str, list_func: Any, *args: Any, **options: Any) -> Declared[Any]:
        """Declare a reflector; asks no server and starts no thread.

        :param name: to be used once.
        :param list_func: a list function; or a method of a class of the client's, such as
            ``CoreV1Api.list_node``, for the client of the application; or a function without
            arguments that gives a list function, called in the process that serves.
        :param args: for the list function.
        :param options: for `Reflector`.
        :raises ValueError: for a name that was used before.
        :raises TypeError: for what is no function, and for arguments that it does not take, which
            a misspelt option looks like.
        """
        if name in self._declarations:
            raise ValueError(f"there is a reflector {name!r} already")
        declaration = Declaration(name, list_func, args, options)
        declaration.check()
        self._declarations[name] = declaration
        return Declared(name)

    def start(self, app: Flask, timeout: float | None = 10.0) -> None:
        """Start all of an application, and wait, in a process that will serve it.

        :param timeout: seconds to wait for all together; None waits for as long as it takes.
        :raises NotReady: if it took longer.
        """
        _group(app).wait_until_ready(timeout)

    def close(self, app: Flask) -> None:
        """Close those of an application; the next use starts them anew."""
        _group(app).close()

    def stored(self, app: Flask, **objects: Iterable[Any],
               ) -> AbstractContextManager[dict[str, Writer]]:
        """Put objects in the place of reflectors, for a test without a server.

        :param objects: mappings as on the wire, or models, by the name of the reflector.
        :return: gives the writers, whose ``apply_watcher_event`` changes what is there.
        """
        return _group(app).stored(objects)


def _unavailable(error: KubeReflectError) -> Any:
    app: Flask = current_app
    app.logger.warning("answered with 503: %s", error)
    # By way of the application, which may have a page of its own for it.
    return app.handle_http_exception(ServiceUnavailable(
        "Not everything that is needed for an answer is known yet. Try again soon.",
        retry_after=app.config["KUBE_REFLECT_RETRY_AFTER"]))


#: A blueprint with ``/healthz``, ``/readyz``, ``/status`` and ``/metrics``.
health = Blueprint(NAME, __name__)


@health.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Answer 503 if a thread has died, and the process is to be restarted."""
    good, found = answers.liveness(_group(current_app))
    return found, 200 if good else 503


@health.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Answer 200 once all have been listed; starts them."""
    good, found = answers.readiness(
        _group(current_app), current_app.config["KUBE_REFLECT_MAX_STALENESS"])
    return found, 200 if good else 503


@health.get("/status")
def status() -> ResponseReturnValue:
    """Answer with the status of each."""
    return answers.statuses(_group(current_app))


@health.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Answer with a page for Prometheus, of the process that happens to answer."""
    try:
        page, media_type = answers.metrics(_group(current_app))
    except ImportError:
        return "prometheus_client is not installed: kube_reflect[metrics]\n", 501
    return page, {"Content-Type": media_type}


_commands = AppGroup("kube-reflect", help="What the application caches of Kubernetes.")


@_commands.command("status")
@click.option("--timeout", default=10.0, show_default=True, help="Seconds to wait for the lists.")
@click.option("--json", "as_json", is_flag=True, help="All that is known.")
def _status(timeout: float, as_json: bool) -> None:
    """Start the reflectors, wait, and show how they are."""
    group = _group(current_app)
    good = True
    try:
        group.wait_until_ready(timeout)
    except KubeReflectError as error:
        click.echo(f"not ready: {error}", err=True)
        good = False
    except ConfigException as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(answers.statuses(group), indent=2) if as_json else answers.table(group))
    group.close()
    raise SystemExit(0 if good else 1)
