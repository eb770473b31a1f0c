"""What an installed kube_reflect consists of."""

from __future__ import annotations

import configparser
import re
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("build", "setuptools", "wheel")
MISSING = [tool for tool in TOOLS if importlib.util.find_spec(tool) is None]

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"needs the [dev] extra; missing: {MISSING}"),
    pytest.mark.timeout(180),
]


def run(*command: str | Path, cwd: Path) -> str:
    """Run this Python with these arguments, outside the checkout, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both distributions offline, from a copy, so that the checkout stays as it is."""
    source = tmp_path_factory.mktemp("source") / "kube_reflect"
    ignored = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "build", "dist")
    shutil.copytree(ROOT, source, ignore=ignored)
    out = tmp_path_factory.mktemp("dist")
    run("-m", "build", "--no-isolation", "--sdist", "--wheel", "--outdir", out, cwd=source)
    return out


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(only(dist, "*.whl"))


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode())


# What pytest loads, under a name that does not have it import the library.
PLUGIN = {"kube_reflect_pytest/__init__.py"}


def package_files() -> set[str]:
    package = ROOT / "kube_reflect"
    files = [*package.rglob("*.py"), package / "py.typed", package / "contrib" / "grafana.json"]
    return {path.relative_to(ROOT).as_posix() for path in files}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = [name for name in wheel.namelist() if ".dist-info/" not in name]
    assert set(names) == package_files() | PLUGIN
    assert wheel.read("kube_reflect_pytest/__init__.py") == wheel.read(
        "kube_reflect/testing/plugin/__init__.py")


def test_the_sdist_holds_the_package_and_nothing_of_tests(dist: Path) -> None:
    with tarfile.open(only(dist, "*.tar.gz")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert package_files() <= names
    assert {"LICENSE", "README.rst", "setup.cfg", "setup.py"} <= names
    assert not [name for name in names if name.split("/")[0] == "tests"]


def test_the_metadata_is_that_of_setup_cfg(metadata: Message) -> None:
    declared = configparser.ConfigParser()
    declared.read(ROOT / "setup.cfg", "utf-8")
    assert metadata["Name"].replace("-", "_") == "kube_reflect"
    assert metadata["Version"] == declared["metadata"]["version"]
    assert metadata["Requires-Python"] == ">=3.10"
    required = metadata.get_all("Requires-Dist") or []
    assert {re.match(r"[\w-]+", line)[0] for line in required  # type: ignore[index]
            if "extra ==" not in line} == {
        "kubernetes",
        "readerwriterlock",
    }
    extras = set(declared["options.extras_require"])
    assert {"fast", "cli", "metrics", "flask", "django", "test", "dev", "bench",
            "docs"} == extras
    assert set(metadata.get_all("Provides-Extra") or []) == extras


def test_the_readme_is_the_description(metadata: Message) -> None:
    assert metadata["Description-Content-Type"].startswith("text/x-rst")
    body = metadata.get_payload()
    assert isinstance(body, str)
    assert body.strip() == (ROOT / "README.rst").read_text("utf-8").strip()


def test_the_readme_is_valid_restructuredtext() -> None:
    docutils_core = pytest.importorskip("docutils.core")
    document = docutils_core.publish_doctree(
        (ROOT / "README.rst").read_text("utf-8"),
        source_path="README.rst",
        settings_overrides={"halt_level": 2, "report_level": 2, "file_insertion_enabled": False},
    )
    assert document.children


@pytest.mark.slow
def test_the_installed_wheel_works_without_the_checkout(dist: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", target)
    run(*install, only(dist, "*.whl"), cwd=tmp_path)
    script = (
        f"import sys; sys.path.insert(0, {str(target)!r})\n"
        "import kube_reflect, importlib.metadata as metadata\n"
        "entries = {e.group: e for e in metadata.distribution('kube_reflect').entry_points}\n"
        "entry = entries.pop('console_scripts')\n"
        "entries.pop('pytest11').load()\n"
        "print(kube_reflect.__file__, entry.name, entry.value, *entries)"
    )
    origin, command, function = run("-c", script, cwd=tmp_path).split()
    assert Path(origin).is_relative_to(target)
    assert (command, function) == ("kube-reflect", "kube_reflect.cli:main")
