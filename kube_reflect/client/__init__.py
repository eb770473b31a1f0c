"""All that knows the official client and urllib3.

What a list function is, its kind and model; requests by connections that any thread can end; what
differs between the versions of the client; and views, which are its models decoded level by level.
It stands on the ground (`kube_reflect.ground`) and the words; it imports no other room,
and starts no thread but for what cannot be interrupted. Begin with `list_function`, then
`requests`; `pool`, `addresses` and `tls` are below these. Others import from here only.
"""

from kube_reflect.client.connection import Closed
from kube_reflect.client.failures import RequestError
from kube_reflect.client.list_function import ListFunction
from kube_reflect.client.requests import Requests, Response
from kube_reflect.client.views import view_maker
from kube_reflect.client.watching import OfficialWatch

__all__ = ["Closed", "ListFunction", "OfficialWatch", "RequestError", "Requests", "Response",
           "view_maker"]
