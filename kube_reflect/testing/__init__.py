"""A fake API server, for the tests of programs that watch a real one."""

from kube_reflect.testing._requests import Request, RequestLog
from kube_reflect.testing._server import FakeApiServer
from kube_reflect.testing._status import ApiStatusError

__all__ = ["ApiStatusError", "FakeApiServer", "Request", "RequestLog"]
