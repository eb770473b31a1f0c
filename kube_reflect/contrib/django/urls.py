"""For ``path("", include("kube_reflect.contrib.django.urls"))``."""

from __future__ import annotations

from django.urls import path

from kube_reflect.contrib.django import views

app_name = "kube_reflect"
urlpatterns = [path(view.__name__, view, name=view.__name__)
               for view in (views.healthz, views.readyz, views.status, views.metrics)]
