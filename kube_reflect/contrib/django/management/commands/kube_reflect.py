"""``manage.py kube_reflect status`` and ``manage.py kube_reflect watch NAME``."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kubernetes.config import ConfigException

from kube_reflect import Applied, Deleted, KubeReflectError, stop_on_signals
from kube_reflect.contrib import health
from kube_reflect.contrib.django.conf import stores

__all__ = ["Command"]


class Command(BaseCommand):  # type: ignore[misc]
    """Shows what the settings have cached."""

    help = "Show what the project caches of Kubernetes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what the command takes."""
        commands = parser.add_subparsers(dest="what", required=True)
        status = commands.add_parser("status", help="start all, wait, and show how they are")
        status.add_argument("--json", action="store_true", help="all that is known")
        watch = commands.add_parser("watch", help="show each change, until interrupted")
        watch.add_argument("name", help="of the store")
        for command in (status, watch):
            command.add_argument("--timeout", type=float, default=10.0,
                                 help="seconds to wait for the lists (default: %(default)s)")

    def handle(self, *_: Any, what: str, timeout: float, **options: Any) -> None:
        """Do it."""
        try:
            if what == "status":
                self._status(timeout, options["json"])
            else:
                self._watch(options["name"], timeout)
        except ConfigException as error:
            raise CommandError(str(error)) from error
        finally:
            stores.close()

    def _status(self, timeout: float, as_json: bool) -> None:
        group = stores.group
        failure = None
        try:
            group.wait_until_ready(timeout)
        except KubeReflectError as error:
            failure = error
        self.stdout.write(json.dumps(health.statuses(group), indent=2) if as_json
                          else health.table(group))
        if failure is not None:
            raise CommandError(f"not ready: {failure}")

    def _watch(self, name: str, timeout: float) -> None:
        if name not in stores:
            raise CommandError(f"there is no store {name!r}; there are {', '.join(stores)}")
        with stop_on_signals() as stop, stop.at_once():
            try:
                stores.group.store(name, timeout)
            except KubeReflectError as error:
                raise CommandError(f"not ready: {error}") from error
            with stores.group.reflector(name).subscribe() as changes:
                for change in changes:
                    match change:
                        case Applied():
                            self._say(f"{'added' if change.is_new else 'changed'}: {change.ref}")
                        case Deleted():
                            self._say(f"deleted: {change.ref}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
