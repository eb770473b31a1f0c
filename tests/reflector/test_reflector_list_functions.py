"""kube_reflect.reflector: what may be given as a list function, and what is refused."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiTypeError
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.resource import ResourceInstance

from kube_reflect.config import Config, InitialListStrategy
from kube_reflect.object_ref import ApiResource
from kube_reflect.reflector import Reflector
from kube_reflect.testing import FakeApiServer
from kube_reflect.watcher import Watcher

from tests.support.objects import new_pod as pod
from tests.support.reflector_helpers import LIST_WATCH, server, v1
from tests.support.waiting import DEADLINE, wait_until

__all__ = ["server", "v1"]

THING = ApiResource("example.com", "v1", "Thing", "things", True)
STREAMING = Config(initial_list_strategy=InitialListStrategy.STREAMING_LIST)
CONFIGS = pytest.mark.parametrize("config", [LIST_WATCH, STREAMING, None])


def thing(name: str, namespace: str = "ns") -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Thing",
            "metadata": {"name": name, "namespace": namespace}, "spec": {"size": 3}}


@pytest.fixture
def things(server: FakeApiServer) -> client.CustomObjectsApi:
    server.register(THING)
    server.create(thing("a"))
    return client.CustomObjectsApi(server.api_client())


@pytest.fixture
def dynamic(server: FakeApiServer) -> DynamicClient:
    server.register(THING)
    server.create(thing("a"))
    return DynamicClient(server.api_client())


def check_follows(server: FakeApiServer, make: Any, reflector: Reflector,
                  close_timeout: float = 5.0) -> tuple[Any, list[str]]:
    """See that it lists "a" and follows changes; return "a", and the verbs that were used."""
    with reflector:
        reflector.store.wait_until_ready(timeout=DEADLINE)
        found = reflector.store.get("a", "ns")
        assert found is not None
        server.create(make("late"))
        wait_until(lambda: reflector.store.get("late", "ns") is not None)
        assert reflector.status.last_error is None
        reflector.close(timeout=close_timeout)
        server.disconnect()
    return found, [request.verb for request in server.requests
                   if "sendInitialEvents" in request.query or request.verb == "list"]


@CONFIGS
def test_a_typed_method(server: FakeApiServer, v1: client.CoreV1Api, config: Any) -> None:
    found, verbs = check_follows(server, pod, Reflector(v1.list_namespaced_pod, "ns",
                                                        config=config))
    assert isinstance(found, client.V1Pod) and found.kind == "Pod"
    assert verbs == ["list" if config is LIST_WATCH else "watch"]


@CONFIGS
def test_a_method_for_custom_objects(
        server: FakeApiServer, things: client.CustomObjectsApi, config: Any) -> None:
    found, verbs = check_follows(server, thing, Reflector(
        things.list_namespaced_custom_object, "example.com", "v1", "ns", "things",
        config=config))
    assert type(found) is dict and found["spec"] == {"size": 3} and found["kind"] == "Thing"
    assert verbs == ["list" if config is LIST_WATCH else "watch"]


@CONFIGS
def test_a_partial(server: FakeApiServer, v1: client.CoreV1Api, config: Any) -> None:
    list_func = functools.partial(functools.partial(v1.list_namespaced_pod), namespace="ns")
    found, _ = check_follows(server, pod, Reflector(list_func, config=config))
    assert isinstance(found, client.V1Pod)


@CONFIGS
def test_a_dynamic_resource(server: FakeApiServer, dynamic: DynamicClient, config: Any) -> None:
    resource = dynamic.resources.get(api_version="example.com/v1", kind="Thing")
    found, _ = check_follows(server, thing, Reflector(resource, namespace="ns", config=config))
    assert isinstance(found, ResourceInstance)
    assert (found.metadata.name, found.spec.size, found.kind) == ("a", 3, "Thing")
    watches = [request for request in server.requests if request.verb == "watch"]
    # Which the dynamic client itself knows nothing of before version 33.
    assert watches and all(one.query["allowWatchBookmarks"] == "true" for one in watches)


@pytest.mark.parametrize("list_func_of", [
    lambda resource: resource.get,
    lambda resource: functools.partial(resource.get, namespace="ns"),
])
def test_the_get_of_a_dynamic_resource(
        server: FakeApiServer, dynamic: DynamicClient, list_func_of: Any) -> None:
    list_func = list_func_of(dynamic.resources.get(api_version="v1", kind="Pod"))
    found, _ = check_follows(server, pod, Reflector(list_func, model=dict))
    assert found["metadata"]["name"] == "a" and found["kind"] == "Pod"


@CONFIGS
def test_a_function_of_ones_own(
        server: FakeApiServer, v1: client.CoreV1Api, config: Any) -> None:
    def list_pods(**kwargs: Any) -> Any:
        return v1.list_namespaced_pod("ns", **kwargs)

    # Its connection is its own, so nobody can cut it.
    found, _ = check_follows(server, pod, Reflector(list_pods, config=config), 0.01)
    assert type(found) is dict and found["kind"] == "Pod"


def test_a_function_of_ones_own_by_a_client_that_knows_no_streaming_list(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    def list_pods(**kwargs: Any) -> Any:
        if "send_initial_events" in kwargs:
            # As versions 25 and 26 say it.
            raise ApiTypeError("Got an unexpected keyword argument 'send_initial_events' to "
                               "method list_namespaced_pod")
        return v1.list_namespaced_pod("ns", **kwargs)

    found, verbs = check_follows(server, pod, Reflector(list_pods), 0.01)
    assert found["metadata"]["name"] == "a" and verbs == ["list"]


def test_arguments_and_selectors_reach_the_server(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    server.create(pod("c", app="web"))
    config = Config(label_selector="app in (web, db)", field_selector="spec.nodeName!=x",
                    initial_list_strategy=InitialListStrategy.LIST_WATCH, page_size=7)
    with Reflector(v1.list_namespaced_pod, namespace="ns", config=config) as reflector:
        reflector.store.wait_until_ready(timeout=DEADLINE)
        assert [one.metadata.name for one in reflector.store] == ["c"]
        server.wait_for_request(lambda request: request.verb == "watch")
    listing, watching = server.requests
    for request in (listing, watching):
        assert request.path == "/api/v1/namespaces/ns/pods"
        assert request.query["labelSelector"] == "app in (web, db)"
        assert request.query["fieldSelector"] == "spec.nodeName!=x"
    assert listing.query["limit"] == "7"
    assert watching.query["allowWatchBookmarks"] == "true"
    assert 217 <= int(watching.query["timeoutSeconds"]) <= 290 or (
        int(watching.query["timeoutSeconds"]) <= 120)


def test_a_selector_may_be_an_argument_instead(
        server: FakeApiServer, v1: client.CoreV1Api) -> None:
    server.create(pod("c", app="web"))
    with Reflector(v1.list_namespaced_pod, "ns", label_selector="app=web") as reflector:
        reflector.store.wait_until_ready(timeout=DEADLINE)
        assert [one.metadata.name for one in reflector.store] == ["c"]


@pytest.fixture(params=[Watcher, Reflector])
def made(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("list_func", [
    None, 5, "pods", client.CoreV1Api.__name__,
])
def test_what_is_no_function_is_refused(made: Any, list_func: Any) -> None:
    with pytest.raises(TypeError, match="list function"):
        made(list_func)


@pytest.mark.parametrize("name", [
    "read_namespaced_pod", "delete_namespaced_pod", "create_namespaced_pod", "get_api_resources",
])
def test_what_does_not_list_is_refused(made: Any, v1: client.CoreV1Api, name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} is no list function"):
        made(getattr(v1, name), "ns")


@pytest.mark.parametrize(("args", "kwargs", "message"), [
    ((), {}, "namespace"), (("ns",), {"namespace": "ns"}, "multiple values"),
])
def test_arguments_that_do_not_fit_are_refused(
        made: Any, v1: client.CoreV1Api, args: Any, kwargs: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        made(v1.list_namespaced_pod, *args, **kwargs)


@pytest.mark.parametrize("name", [
    "watch", "resource_version", "limit", "_continue", "timeout_seconds", "_request_timeout",
    "_preload_content", "allow_watch_bookmarks", "send_initial_events", "async_req",
    "resource_version_match",
])
def test_what_the_watcher_decides_is_refused(
        made: Any, v1: client.CoreV1Api, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        made(v1.list_namespaced_pod, "ns", **{name: 1})
    with pytest.raises(ValueError, match=name):
        made(functools.partial(v1.list_namespaced_pod, "ns", **{name: 1}))


@pytest.mark.parametrize("name", ["label_selector", "field_selector"])
def test_a_selector_given_twice_is_refused(made: Any, v1: client.CoreV1Api, name: str) -> None:
    config = Config(**{name: "metadata.name=a"})
    with pytest.raises(ValueError, match=name):
        made(v1.list_namespaced_pod, "ns", config=config, **{name: "metadata.name=a"})


@pytest.mark.parametrize("name", ["label_selector", "field_selector"])
def test_a_selector_that_does_not_parse_is_refused(
        made: Any, v1: client.CoreV1Api, name: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        made(v1.list_namespaced_pod, "ns", **{name: "= ="})
    with pytest.raises(ValueError, match=r"\S"):
        made(functools.partial(v1.list_namespaced_pod, **{name: "= ="}), "ns")


@pytest.mark.parametrize(("keyword", "value"), [
    ("config", {"timeout": 5}), ("config", "app=web"), ("backoff", 5), ("model", 5),
    ("transform", "x"), ("indexers", {"node": 5}), ("unknown_argument", 1),
])
def test_settings_of_the_wrong_type_are_refused(
        v1: client.CoreV1Api, keyword: str, value: Any) -> None:
    with pytest.raises(TypeError):
        Reflector(v1.list_namespaced_pod, "ns", **{keyword: value})
