"""A fake API server, for the tests of programs that watch a real one, and how it can fail."""

from kube_reflect.testing import faults
from kube_reflect.testing._fault_server import FaultServer, Injection
from kube_reflect.testing._http import Exchange
from kube_reflect.testing._requests import Request, RequestLog
from kube_reflect.testing._server import FakeApiServer
from kube_reflect.testing._status import ApiStatusError
from kube_reflect.testing._stores import store_of

__all__ = ["ApiStatusError", "Exchange", "FakeApiServer", "FaultServer", "Injection", "Request",
           "RequestLog", "faults", "store_of"]
