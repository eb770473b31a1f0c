"""The application, for INSTALLED_APPS."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks
from django.core.signals import setting_changed

from kube_reflect.contrib.django.checks import check_settings
from kube_reflect.contrib.django.conf import forget

__all__ = ["KubeReflectConfig"]


class KubeReflectConfig(AppConfig):  # type: ignore[misc]
    """Kubernetes objects, from memory."""

    name = "kube_reflect.contrib.django"
    label = "kube_reflect"
    verbose_name = "kube_reflect"

    def ready(self) -> None:
        """Connect what is called later; no thread and no request, for any command gets here."""
        checks.register(check_settings)
        setting_changed.connect(forget, dispatch_uid="kube_reflect")
