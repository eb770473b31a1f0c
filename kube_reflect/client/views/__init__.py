"""Views: the official client's models, decoded level by level, when they are read.

`view_maker` is the door. `documents` cuts JSON and remembers what was cut last; `generated` (the
client up to 36) and `pydantic_models` (from 37 on) tell what a model's fields are, and with them
what differs between the client's versions; `reading` reads one field; `view` makes the classes. It
imports the JSON parser and the errors, and nothing else of this library.
"""

from kube_reflect.client.views.documents import JsonSource
from kube_reflect.client.views.view import view_maker

__all__ = ["JsonSource", "view_maker"]
