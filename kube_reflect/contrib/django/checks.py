"""What `manage.py check` says about the settings."""

from __future__ import annotations

import inspect
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from kubernetes import client

from kube_reflect.contrib.declared import Declaration
from kube_reflect.contrib.django.conf import declarations, setting

__all__ = ["check_settings"]

_MIDDLEWARE = "kube_reflect.contrib.django.middleware.NotReadyMiddleware"


def check_settings(**_: Any) -> list[CheckMessage]:
    """Check the settings; asks no server, and calls no function of the user's."""
    try:
        found = declarations()
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="See kube_reflect.contrib.django.conf for the settings.",
                      id="kube_reflect.E001")]
    messages = [*_check_numbers(), *(one for name in found for one in _check_store(found[name]))]
    if found and _MIDDLEWARE not in settings.MIDDLEWARE:
        messages.append(Warning(
            "A request that finds a store not ready is answered with 500.",
            hint=f"Add {_MIDDLEWARE!r} to MIDDLEWARE, which answers 503.",
            id="kube_reflect.W001"))
    return messages


def _check_numbers() -> list[CheckMessage]:
    return [Error(f"KUBE_REFLECT[{name!r}] must be a number of seconds, not {value!r}.",
                  id="kube_reflect.E003")
            for name in ("WAIT", "RETRY_AFTER", "MAX_STALENESS")
            if not isinstance(value := setting(name), (int, float))
            and not (value is None and name != "RETRY_AFTER")]


def _check_store(declaration: Declaration) -> list[CheckMessage]:
    hint = None
    try:
        if declaration.is_factory:
            inspect.signature(declaration.source).bind()
            return []

        def placeholder() -> client.ApiClient:
            return client.ApiClient(client.Configuration())

        declaration.reflector(placeholder, placeholder)
    except (TypeError, ValueError) as error:
        if declaration.is_factory:
            hint = "A function that gives a list function takes no arguments."
        return [Error(f"KUBE_REFLECT['STORES'][{declaration.name!r}]: {error}", hint=hint,
                      id="kube_reflect.E002")]
    return []
