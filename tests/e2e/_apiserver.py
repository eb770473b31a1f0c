"""The API server that the tests in this folder talk to: one of their own, or a cluster at hand."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

from kubernetes import client, config

from ._processes import ControlPlane

ADMIN = "admin"
# Authenticated, but without a role, until a test gives it one.
READER = "reader"
PROGRAMS = ("kube-apiserver", "etcd")


class RealServer:
    """A real API server.

    :ivar owned: whether the tests started it, and so may stop and freeze it.
    """

    owned = False

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        url: str = self._configuration(ADMIN).host
        return url

    def client_for(self, user: str) -> client.ApiClient:
        """Return a new client of the official library that acts as a user.

        :param user: ``admin``, who may do everything, or ``reader``, who may do nothing.
        """
        return client.ApiClient(self._configuration(user))

    def api_client(self) -> client.ApiClient:
        """Return a new client of the official library that may do everything."""
        return self.client_for(ADMIN)

    def create_namespace(self, prefix: str = "test") -> str:
        """Create a namespace under a name of its own and return that name."""
        name = f"{prefix}-{secrets.token_hex(4)}"
        client.CoreV1Api(self.api_client()).create_namespace(_namespace(name))
        return name

    @contextlib.contextmanager
    def namespace(self, prefix: str = "test") -> Iterator[str]:
        """Create a namespace for a while; it and the pods, config maps and secrets in it go."""
        name = self.create_namespace(prefix)
        try:
            yield name
        finally:
            self.recover()
            self._delete_namespace(name)

    def recover(self) -> None:
        """Bring the server back if a test left it stopped or frozen."""

    def close(self) -> None:
        """End what was started."""

    def _configuration(self, user: str) -> client.Configuration:
        raise NotImplementedError

    def _delete_namespace(self, name: str) -> None:
        client.CoreV1Api(self.api_client()).delete_namespace(name)


class OwnedServer(RealServer):
    """A kube-apiserver and an etcd started for the tests.

    :param assets: the folder that holds both programs.
    :param folder: for logs, keys and data.
    :raises StartError: if they cannot be started.
    """

    owned = True

    def __init__(self, assets: Path, folder: Path) -> None:
        tokens = {user: secrets.token_hex(16) for user in (ADMIN, READER)}
        self._plane = ControlPlane(assets, folder, tokens)
        self._frozen = False
        try:
            self._plane.start()
        except BaseException:
            self._plane.close()
            raise

    @property
    def url(self) -> str:
        return self._plane.url

    @property
    def token(self) -> str:
        """The bearer token of the admin."""
        return self._plane.tokens[ADMIN]

    @property
    def certificate(self) -> Path:
        """A file with the certificate to trust."""
        return self._plane.certificate

    def log_tail(self, lines: int = 40) -> str:
        """Return the end of the API server's log."""
        return self._plane.apiserver.tail(lines)

    def stop(self, *, graceful: bool = False) -> None:
        """End the API server, at once or by SIGTERM; etcd, and so every object, stays."""
        self._frozen = False
        self._plane.apiserver.stop(graceful=graceful)

    def start(self) -> None:
        """Start the API server again, on the same port, and wait until it is ready."""
        self._plane.start_apiserver()

    def restart(self) -> None:
        """End the API server at once and start it again. What it remembered of events is gone."""
        self.stop()
        self.start()

    def sigstop(self) -> None:
        """Freeze the API server: connections stay open, and nothing comes."""
        self._plane.apiserver.signal(signal.SIGSTOP)
        self._frozen = True

    def sigcont(self) -> None:
        """Let a frozen API server go on."""
        self._plane.apiserver.signal(signal.SIGCONT)
        self._frozen = False

    def compact(self) -> int:
        """Drop the history in etcd and return the revision up to which it is gone.

        Continue tokens of LISTs expire at once. A WATCH may still be served from the API server's
        own cache of events; it gets 410 after :meth:`restart`.
        """
        revision = int(self._plane.etcd_request("/v3/kv/range", {"key": "AA=="})
                       ["header"]["revision"])
        self._plane.etcd_request("/v3/kv/compaction", {"revision": revision, "physical": True})
        return revision

    def recover(self) -> None:
        if self._frozen:
            self.sigcont()
        if not self._plane.apiserver.running:
            self.stop()
            self.start()

    def close(self) -> None:
        self._plane.close()

    def _configuration(self, user: str) -> client.Configuration:
        configuration = client.Configuration(host=self.url)
        configuration.api_key = {"authorization": f"Bearer {self._plane.tokens[user]}"}
        configuration.ssl_ca_cert = str(self.certificate)
        configuration.proxy = None
        return configuration

    def _delete_namespace(self, name: str) -> None:
        # No controllers run here, so nobody else would empty the namespace and let it go.
        api = client.CoreV1Api(self.api_client())
        api.delete_collection_namespaced_pod(name, grace_period_seconds=0)
        api.delete_collection_namespaced_config_map(name)
        api.delete_collection_namespaced_secret(name)
        api.delete_namespace(name)
        api.replace_namespace_finalize(name, _namespace(name))


class ExistingCluster(RealServer):
    """A cluster that was there before, by its kubeconfig; users are impersonated.

    :param kubeconfig: path of the file, or several as in the variable KUBECONFIG.
    """

    def __init__(self, kubeconfig: str) -> None:
        self._kubeconfig = kubeconfig

    def client_for(self, user: str) -> client.ApiClient:
        api_client = super().client_for(user)
        if user != ADMIN:
            api_client.set_default_header("Impersonate-User", f"kube-reflect-test:{user}")
        return api_client

    def _configuration(self, user: str) -> client.Configuration:
        configuration = client.Configuration()
        config.load_kube_config(config_file=self._kubeconfig, client_configuration=configuration)
        return configuration


def _namespace(name: str) -> client.V1Namespace:
    return client.V1Namespace(metadata=client.V1ObjectMeta(name=name),
                              spec=client.V1NamespaceSpec(finalizers=[]))


def find_server(folder: Path) -> RealServer | str:
    """Start or find the API server that the environment names.

    :param folder: for logs, keys and data of a server started here.
    :returns: the server, or why there is none.
    :raises FileNotFoundError: if KUBEBUILDER_ASSETS lacks a program.
    :raises StartError: if the server cannot be started.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        for program in PROGRAMS:
            if not os.access(os.path.join(assets, program), os.X_OK):
                raise FileNotFoundError(f"KUBEBUILDER_ASSETS={assets} holds no {program}")
        return OwnedServer(Path(assets).absolute(), folder)
    kubeconfig = os.environ.get("KUBECONFIG")
    if kubeconfig:
        return ExistingCluster(kubeconfig)
    return ("no API server: set KUBEBUILDER_ASSETS to a folder with kube-apiserver and etcd, "
            "or KUBECONFIG to a cluster for tests")
