"""Whole instances of the official client's models."""

from __future__ import annotations

from typing import Any

from kubernetes import client


def eager_maker(model: Any, api_client: Any = None) -> Any:
    """Return what makes a whole instance of a model of a mapping, as on the wire.

    :param model: a class of the official client's models; anything else is returned as it is.
    :param api_client: up to 36 the client's deserializer, and its configuration, are used.
    """
    if hasattr(model, "from_dict"):
        return model.from_dict
    # Up to 36.
    if not hasattr(model, "openapi_types"):
        return model
    if api_client is None:
        api_client = client.ApiClient.__new__(client.ApiClient)
        api_client.configuration = client.Configuration.get_default_copy()
    api: Any = client.ApiClient
    deserialize = api._ApiClient__deserialize
    return lambda mapping: deserialize(api_client, mapping, model)
