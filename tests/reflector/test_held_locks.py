"""Every wait keeps its timeout, whatever another thread holds, or a signal handler does."""

from __future__ import annotations

import contextlib
import gc
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from kubernetes import client

from kube_reflect.conditions import is_created
from kube_reflect.ground import locks
from kube_reflect.reflector import Reflector, close_all, shared
from kube_reflect.signals import Stop
from kube_reflect.testing import FakeApiServer

from tests.support.objects import new_pod as pod
from tests.support.reflector_helpers import server, v1
from tests.support.waiting import DEADLINE

__all__ = ["server", "v1"]

TIMEOUT = 0.2
#: Seconds that a busy machine may add; whoever waits for a lock would wait for far longer.
SLOW = 6.0


@contextlib.contextmanager
def all_locks_held() -> Iterator[None]:
    """Have another thread hold every lock that there is."""
    held, over = threading.Event(), threading.Event()

    def hold(locks: list[object]) -> None:
        if locks:
            with locks[0]:  # type: ignore[attr-defined]
                hold(locks[1:])
        else:
            held.set()
            over.wait(DEADLINE)

    # Not those of what earlier tests have left.
    gc.collect()
    known = [lock for lock, _ in locks._items(locks._locks)]
    thread = threading.Thread(target=hold, args=(known,))
    thread.start()
    try:
        assert held.wait(DEADLINE)
        yield
    finally:
        over.set()
        thread.join(DEADLINE)


def in_time(call: Callable[[], object]) -> object:
    """Return what a call returns or raises; it may take seconds longer than its timeout."""
    began = time.monotonic()
    try:
        return call()
    except TimeoutError as error:
        return error
    finally:
        assert time.monotonic() - began < TIMEOUT + SLOW


def test_waiting_for_an_object(v1: client.CoreV1Api) -> None:
    with Reflector(v1.list_namespaced_pod, "ns") as reflector:
        store = reflector.store
        store.wait_until_ready(DEADLINE)
        with all_locks_held():
            assert isinstance(
                in_time(lambda: store.wait_for("a", lambda one: True, TIMEOUT, namespace="ns")),
                TimeoutError)
        assert store.wait_for("a", lambda one: True, DEADLINE, namespace="ns") is not None


def test_a_subscription(server: FakeApiServer, v1: client.CoreV1Api) -> None:
    with Reflector(v1.list_namespaced_pod, "ns") as reflector:
        reflector.store.wait_until_ready(DEADLINE)
        subscription = reflector.subscribe()
        with all_locks_held():
            assert isinstance(in_time(lambda: subscription.get(TIMEOUT)), TimeoutError)
        there = {subscription.get(DEADLINE).object.metadata.name for _ in range(2)}
        assert there == {"a", "b"}
        server.create(pod("c"))
        assert subscription.get(DEADLINE).object.metadata.name == "c"


@pytest.mark.parametrize("what", ["close", "close_all", "shared"])
def test_a_close(v1: client.CoreV1Api, what: str) -> None:
    reflector = Reflector(v1.list_namespaced_pod, "ns").start()
    handle = shared(v1.list_namespaced_pod, "ns")
    subscription = reflector.subscribe()
    handler = reflector.add_handler(lambda one: None)
    reflector.store.wait_until_ready(DEADLINE)
    handle.store.wait_until_ready(DEADLINE)
    close = {"close": reflector.close, "close_all": close_all, "shared": handle.close}[what]
    with all_locks_held():
        in_time(lambda: close(TIMEOUT))
    for one in (reflector, handle):
        one.close(DEADLINE)
        assert not one.status.thread_alive
    assert handler.pending == 0 and subscription.is_over


def test_removing_a_namespace(v1: client.CoreV1Api) -> None:
    with Reflector(v1.list_namespaced_pod, namespaces=["ns", "other"]) as reflector:
        reflector.store.wait_until_ready(DEADLINE)
        with all_locks_held():
            assert isinstance(in_time(lambda: reflector.remove_namespace("ns", TIMEOUT)),
                              TimeoutError)
        reflector.remove_namespace("ns", DEADLINE)
        assert len(reflector.store) == 0


@contextlib.contextmanager
def slow_signal_handler() -> Iterator[None]:
    """Have a signal arrive within a timeout, and be handled until after it."""
    def handle(*_: object) -> None:
        end = time.monotonic() + 2 * TIMEOUT
        while time.monotonic() < end:
            pass

    before = signal.signal(signal.SIGUSR1, handle)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(TIMEOUT / 2, signal.pthread_kill, (main, signal.SIGUSR1))
    timer.start()
    try:
        yield
    finally:
        timer.join(DEADLINE)
        signal.signal(signal.SIGUSR1, before)


def wait_for_a_change(reflector: Reflector) -> object:
    subscription = reflector.subscribe()
    for _ in range(len(reflector.store)):
        subscription.get(DEADLINE)
    return subscription.get(TIMEOUT)


WAITS: dict[str, Callable[[Reflector], object]] = {
    "for an object": lambda one: one.store.wait_for("never", is_created, TIMEOUT, namespace="ns"),
    "for a version": lambda one: one.store.wait_for_version("999999999", TIMEOUT),
    "for a change": wait_for_a_change,
    "for the first list": lambda one: one.store.wait_until_ready(TIMEOUT),
    "for the end": lambda one: Stop().wait(TIMEOUT),
}


@pytest.mark.parametrize("name", WAITS)
def test_a_signal_handler_that_outlasts_the_timeout(v1: client.CoreV1Api, name: str) -> None:
    with Reflector(v1.list_namespaced_pod, "ns") as reflector:
        reflector.store.wait_until_ready(DEADLINE)
        waits_for = Reflector(v1.list_namespaced_pod, "ns") if "first list" in name else reflector
        with slow_signal_handler():
            ended = in_time(lambda: WAITS[name](waits_for))
        assert ended is False or isinstance(ended, TimeoutError)
