"""A fake API server that fails as it is told."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from kube_reflect.testing._altered import Gated
from kube_reflect.testing._certificates import Certificate
from kube_reflect.testing._http import Exchange
from kube_reflect.testing._requests import Request
from kube_reflect.testing._server import FakeApiServer, Plan
from kube_reflect.testing.faults import (
    EditList, EndAtOnce, Fault, HangUp, Html, Reset, Status,
)

__all__ = ["FaultServer", "Injection"]

When = Callable[[Request], bool]
# These have said all before anybody can heal them.
_BRIEF = (EditList, EndAtOnce, HangUp, Html, Reset, Status)


class Injection:
    """A fault, or a row of them, that a `FaultServer` plays; `FaultServer.fault` makes them.

    As a context manager it ends with the block. Any thread may use it.
    """

    def __init__(self, faults: Iterator[Fault | None], when: When, forget: Callable[[], None],
                 ) -> None:
        self._faults = faults
        self._when = when
        self._forget = forget
        self._changed = threading.Condition()
        self._requests: list[Request] = []
        self._over = False

    @property
    def requests(self) -> list[Request]:
        """The requests that it has answered so far."""
        with self._changed:
            return list(self._requests)

    @property
    def over(self) -> bool:
        """Whether it will answer no more: it was played to its end, or removed."""
        return self._over

    def wait(self, count: int = 1, timeout: float = 5.0) -> None:
        """Wait until it has answered so many requests.

        :param timeout: in seconds.
        :raises TimeoutError: it has not.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._requests) >= count, timeout):
                raise TimeoutError(f"played {len(self._requests)} of {count} times within "
                                   f"{timeout:g} s")

    def remove(self) -> None:
        """Play it no more; what it is doing to a request at this moment goes on."""
        with self._changed:
            self._over = True
        self._forget()

    def __enter__(self) -> Injection:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.remove()

    def take(self, request: Request) -> tuple[bool, Fault | None]:
        """Whether this request is for it, and the fault (None: answer as usual)."""
        if not self._when(request):
            return False, None
        with self._changed:
            if self._over:
                return False, None
            try:
                fault = next(self._faults)
            except StopIteration:
                self._over = True
                return False, None
            self._requests.append(request)
            self._changed.notify_all()
        return True, fault


class FaultServer(FakeApiServer):
    """A `FakeApiServer` that fails as it is told, for testing what a program then does.

    ::

        from kube_reflect.testing import FaultServer, faults

        with FaultServer() as server:
            server.fault(faults.Status(503, retry_after=2), when="watch", times=3)
            server.script([faults.Reset(), None, faults.Silent()], when=faults.streaming_list)
            with server.fault(faults.HalfLine(then="close")) as half:
                half.wait(count=2)

    A request goes to the first fault, in the order in which they were given, that it fits and
    that is not over; where there is none, it is answered as usual. All requests, also those that
    a fault answered, are in :attr:`requests`. Any thread may call any method.

    :param tls: serve https, with a certificate that is made for this server; it takes the
        ``openssl`` command. :attr:`ca_cert` is the file that clients are to trust, and
        :meth:`api_client` trusts it by default.
    :param options: as for `FakeApiServer`.
    :raises RuntimeError: with ``tls``, if there is no ``openssl`` command.
    """

    def __init__(self, *, tls: bool = False, **options: Any) -> None:
        self._certificate = Certificate() if tls else None
        if self._certificate is not None:
            options["ssl_context"] = self._certificate.server_context()
        super().__init__(**options)
        self._faults_lock = threading.Lock()
        self._injections: list[Injection] = []
        self._open: set[Gated] = set()

    @property
    def ca_cert(self) -> str | None:
        """The file of the certificate, with ``tls``; it goes with the server object."""
        return self._certificate.path if self._certificate is not None else None

    def api_client(self, token: str | None = None, *, ca_cert: str | None = None) -> Any:
        return super().api_client(token, ca_cert=ca_cert or self.ca_cert)

    def fault(self, fault: Fault, *, when: str | When | None = None,
              times: int | None = None) -> Injection:
        """Answer requests with a fault, from now on.

        :param fault: one of `kube_reflect.testing.faults`, or a function of your own.
        :param when: for which requests: a verb (``"list"``, ``"watch"`` …), or a function of
            the `Request`; None for all.
        :param times: how often; None for ever.
        :raises ValueError: for a number below 1.
        """
        if times is not None and times < 1:
            raise ValueError(f"times must be 1 or more, or None: {times}")
        return self._inject(_repeated(fault, times), when)

    def script(self, faults: Iterable[Fault | None], *,
               when: str | When | None = None) -> Injection:
        """Answer one request after the other with one fault after the other.

        :param faults: None among them stands for a request that is answered as usual. It may be
            endless.
        :param when: as for :meth:`fault`.
        """
        return self._inject(iter(faults), when)

    def heal(self) -> None:
        """Forget all faults, and cut the connections that a fault keeps, or that are frozen."""
        with self._faults_lock:
            injections = list(self._injections)
            held = [one for one in self._open if one.frozen or one.faulty]
        for injection in injections:
            injection.remove()
        for exchange in held:
            exchange.cut()

    def freeze(self, when: str | When | None = None, *, half_line: bool = False) -> int:
        """Silence all requests that are being answered, their connections left open.

        It is what a network does that loses a route. What comes next is answered as usual.

        :param when: only these, as for :meth:`fault`.
        :param half_line: let half of the next line through.
        :return: how many there were.
        """
        fits = _predicate(when)
        with self._faults_lock:
            frozen = [one for one in self._open if fits(one.request)]
        for exchange in frozen:
            exchange.frozen = "half" if half_line else "line"
        return len(frozen)

    def restore(self, version: str) -> None:
        """Go back to the objects and the resource version of before, as restored from a backup.

        Every connection is cut; the server then listens on the same port again.

        :param version: a resource version from within the history of every resource.
        :raises ValueError: it is newer than the present one, or older than the history.
        """
        running = self.running
        self.close()
        try:
            self._storage.rollback(int(version))
        finally:
            if running:
                self.start()

    def intercept(self, request: Request) -> Plan | None:
        with self._faults_lock:
            injections = list(self._injections)
        for injection in injections:
            taken, fault = injection.take(request)
            if taken:
                return fault and _marked(fault)
        return None

    def _handle(self, exchange: Exchange) -> None:
        gated = Gated(exchange)
        with self._faults_lock:
            self._open.add(gated)
        try:
            gated.play(super()._handle)
        finally:
            with self._faults_lock:
                self._open.discard(gated)

    def _inject(self, faults: Iterator[Fault | None], when: str | When | None) -> Injection:
        injection = Injection(faults, _predicate(when), lambda: self._remove(injection))
        with self._faults_lock:
            self._injections.append(injection)
        return injection

    def _remove(self, injection: Injection) -> None:
        with self._faults_lock:
            self._injections = [one for one in self._injections if one is not injection]


def _predicate(when: str | When | None) -> When:
    if when is None:
        return lambda request: True
    if isinstance(when, str):
        return lambda request: request.verb == when
    return when


def _repeated(fault: Fault, times: int | None) -> Iterator[Fault]:
    return itertools.repeat(fault) if times is None else itertools.repeat(fault, times)


def _marked(fault: Fault) -> Plan:
    def plan(exchange: Exchange) -> None:
        if isinstance(exchange, Gated):
            exchange.faulty = not isinstance(fault, _BRIEF)
        fault(exchange)

    return plan
