"""Each extra in an environment of its own: it can be installed, and brings what the README says.

Needs a package registry, as an installation does; without one these are skipped.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: What works with an extra, and what is said of it without.
WORKS = {
    "": """
import sys, kube_reflect.testing, kube_reflect.cli
from kube_reflect import Reflector
with kube_reflect.testing.FakeApiServer() as server:
    server.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}})
    with server.api_client() as api_client:
        from kubernetes import client
        with Reflector(client.CoreV1Api(api_client).list_pod_for_all_namespaces) as pods:
            assert pods.store.get("x", "default").status.phase == "Pending"
extras = {"msgspec", "zstandard", "rich", "prometheus_client", "flask", "django", "pytest"}
assert not extras & set(sys.modules), extras & set(sys.modules)
""",
    "fast": """
from kube_reflect.testing import store_of
assert len(store_of({"metadata": {"name": "x"}}, model=dict)) == 1
import sys
assert "msgspec" in sys.modules
assert "zstandard" in sys.modules or sys.version_info >= (3, 14)
""",
    "cli": """
import rich.live
from kube_reflect.cli import main
try:
    main(["get", "--help"])
except SystemExit as end:
    assert end.code == 0
""",
    "metrics": """
import prometheus_client
from kube_reflect import Reflector
from kube_reflect.metrics import Collector
from kubernetes import client
pods = Reflector(client.CoreV1Api().list_pod_for_all_namespaces, name="x")
registry = prometheus_client.CollectorRegistry()
collector = Collector(pods)
registry.register(collector)
assert 'kube_reflect_ready{reflector="x"} 0.0' in prometheus_client.generate_latest(
    registry).decode()
""",
    "flask": """
from flask import Flask
from kubernetes import client
from kube_reflect.contrib.flask import KubeReflect, health
app = Flask("x")
kube = KubeReflect(app)
nodes = kube.reflector("nodes", client.CoreV1Api.list_node)
app.register_blueprint(health)
with kube.stored(app, nodes=[{"metadata": {"name": "x"}}]):
    assert app.test_client().get("/readyz").status_code == 200
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 501 and "kube_reflect[metrics]" in answer.text
""",
    "django": """
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["kube_reflect.contrib.django"],
    MIDDLEWARE=["kube_reflect.contrib.django.middleware.NotReadyMiddleware"],
    KUBE_REFLECT={"STORES": {"nodes": "kubernetes.client.CoreV1Api.list_node"}})
django.setup()
from django.core.management import call_command
call_command("check")
from kube_reflect.contrib.django import stores
from kube_reflect.contrib.django.test import stored
with stored(nodes=[{"metadata": {"name": "x"}}]):
    assert stores["nodes"].get("x") is not None
""",
    "test": """
import pathlib, subprocess, sys, tempfile
test = pathlib.Path(tempfile.mkdtemp()) / "test_it.py"
test.write_text(
    "def test(kube_store):\\n    assert len(kube_store({'metadata': {'name': 'x'}})) == 1")
subprocess.run([sys.executable, "-m", "pytest", "--timeout", "50", test], check=True)
""",
}


def declared() -> dict[str, str]:
    found = configparser.ConfigParser()
    found.read(ROOT / "setup.cfg", "utf-8")
    return dict(found["options.extras_require"])


def test_every_extra_is_tried_or_for_those_who_work_on_this() -> None:
    assert set(WORKS) - {""} | {"bench", "dev", "docs"} == set(declared())


def test_no_extra_brings_nothing_and_the_readme_names_all() -> None:
    readme = (ROOT / "README.rst").read_text("utf-8")
    assert set(re.findall(r"^``\[(\w+)\]``  ", readme, re.MULTILINE)) == set(declared())
    for extra, requirements in declared().items():
        assert requirements.split(), extra


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "kube_reflect"
    # A copy, since what builds it writes beside it.
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(
        ".*", "*.egg-info", "__pycache__", "build", "dist"))
    pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(source), cwd=folder)
    return next(folder.glob("*.whl"))


def pip(*arguments: str, cwd: Path) -> None:
    """Run pip; skip where it finds no registry."""
    ran = subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
                         env=environment(), cwd=cwd, capture_output=True, text=True)
    if ran.returncode and re.search("No matching distribution|[Cc]onnection|Temporary failure",
                                    ran.stderr):
        pytest.skip(f"no registry here: {ran.stderr.strip().splitlines()[-1:]}")
    assert ran.returncode == 0, ran.stderr


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items()
            if name not in ("PYTHONPATH", "KUBE_REFLECT_JSON")}


def install(into: Path, what: str) -> None:
    pip("--python", str(python_of(into)), "install", "--no-compile", what, cwd=into)


def python_of(environment: Path) -> Path:
    return environment / ("Scripts" if os.name == "nt" else "bin") / "python"


def check(within: Path, program: str) -> None:
    ran = subprocess.run([python_of(within), "-W", "error::ResourceWarning", "-c", program],
                         env=environment(), cwd=within, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def bare(wheel: Path) -> Path:
    """The library in an environment that has nothing else, and was tried."""
    folder = wheel.parent / "bare"
    venv.create(folder)
    install(folder, str(wheel))
    check(folder, WORKS[""])
    return folder


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("extra", WORKS)
def test_in_a_clean_environment(extra: str, wheel: Path, bare: Path, tmp_path: Path) -> None:
    # It takes long to install the client, and to compile it.
    shutil.copytree(bare, tmp_path / "venv", symlinks=True)
    if extra:
        install(tmp_path / "venv", f"{wheel}[{extra}]")
    check(tmp_path / "venv", WORKS[extra])
