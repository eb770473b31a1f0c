"""The rules of the house that a machine can check: sizes, layers, what may be imported where."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import kube_reflect

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "kube_reflect"

TOP_LEVEL = {
    "LICENSE",
    "MANIFEST.in",
    "Makefile",
    "README.rst",
    "examples",
    "kube_reflect",
    "setup.cfg",
    "setup.py",
    "tests",
}
BUILT = re.compile(r"\..*|build|dist|__pycache__|.*\.egg-info")

# Every module may use these; they use nothing but each other.
FOUNDATION = {
    "backoff", "conditions", "config", "errors", "events", "indexers", "object_ref", "predicates",
    "selector", "signals", "status", "transforms",
}
# The way of an object through the library: a module imports only from those before it.
# (Changes flow from the store to the dispatcher, but it is the store's Writer that makes
# subscriptions, so the import runs the other way.)
FLOW = ("wire", "watcher", "streams", "dispatcher", "store", "reflector")
LEAVES = {"cli", "contrib", "metrics", "testing"}
OPTIONAL = {"celery", "django", "flask", "msgspec", "prometheus_client", "rich"}
# The watcher is a pure state machine.
IMPURE = {"asyncio", "concurrent", "datetime", "queue", "sched", "threading", "time"}


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), relative(path))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def import_targets(node: ast.AST, package: list[str]) -> Iterator[str]:
    """Yield the absolute dotted names that an import statement in that package may load."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom):
        origin = package[: len(package) - node.level + 1] if node.level else []
        base = [*origin, *(node.module.split(".") if node.module else [])]
        yield ".".join(base)
        for alias in node.names:
            yield ".".join([*base, alias.name])


def loading(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is below a node, but for what only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from loading(child)


def imports(path: Path) -> set[str]:
    package = list(path.relative_to(ROOT).parent.parts)
    return {name for node in loading(parse(path)) for name in import_targets(node, package)}


def third_party(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def own_modules(path: Path) -> set[str]:
    """Return the members of kube_reflect, without the prefix, that a module imports."""
    names = {name.split(".")[1] for name in imports(path) if name.startswith("kube_reflect.")}
    return {
        name for name in names if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()
    }


CORE = {path.stem: path for path in PACKAGE.glob("*.py") if path.stem not in LEAVES}
GRAPH = {name: own_modules(path) for name, path in CORE.items() if name != "__init__"}


def reachable(module: str) -> set[str]:
    found: set[str] = set()
    to_visit = [module]
    while to_visit:
        for name in GRAPH.get(to_visit.pop(), set()) - found:
            found.add(name)
            to_visit.append(name)
    return found


def test_the_top_level_holds_only_what_the_design_allows() -> None:
    found = {path.name for path in ROOT.iterdir() if not BUILT.fullmatch(path.name)}
    assert found <= TOP_LEVEL


@pytest.mark.parametrize("path", python_files("kube_reflect", "tests", "examples"), ids=relative)
def test_modules_and_functions_are_small(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= 400, f"{lines} lines"
    long = {
        f"{node.name} ({size})"
        for node in functions(parse(path))
        if (size := (node.end_lineno or 0) - node.lineno + 1) >= 50
    }
    assert not long, f"functions of 50 lines or more: {long}"


def test_every_core_module_has_its_place() -> None:
    placed = FOUNDATION | set(FLOW) | {"__init__"}
    strangers = {name for name in CORE if name not in placed and not name.startswith("_")}
    assert not strangers, "give them a place in FLOW, FOUNDATION or LEAVES, and in the design"


def test_the_foundation_stands_by_itself() -> None:
    for name in sorted(FOUNDATION & GRAPH.keys()):
        own = {other for other in reachable(name) if not other.startswith("_")}
        assert own <= FOUNDATION, name


@pytest.mark.parametrize("position", range(len(FLOW)), ids=FLOW)
def test_a_module_imports_only_from_those_above_it(position: int) -> None:
    allowed = FOUNDATION | set(FLOW[:position])
    own = {name for name in reachable(FLOW[position]) if not name.startswith("_")}
    assert own <= allowed


@pytest.mark.parametrize("name", sorted(GRAPH))
def test_imports_run_in_no_circle(name: str) -> None:
    assert name not in reachable(name)


@pytest.mark.parametrize("name", sorted(CORE))
def test_the_core_never_imports_a_leaf_or_what_only_leaves_need(name: str) -> None:
    path = CORE[name]
    assert not own_modules(path) & LEAVES
    fast_parser = {"msgspec"} if name == "_fast" else set()
    assert not third_party(path) & (OPTIONAL - fast_parser)


def test_only_wire_calls_the_official_client() -> None:
    for name in sorted(GRAPH):
        if "kubernetes" not in third_party(CORE[name]) or name == "wire":
            continue
        users = {user for user, used in GRAPH.items() if name in used}
        private_to_wire = name.startswith("_") and users <= {"wire"} | {
            user for user in users if user.startswith("_")
        }
        assert private_to_wire, f"{name} imports kubernetes"


def test_the_watcher_has_no_threads_and_no_clock() -> None:
    assert not third_party(CORE["watcher"]) & IMPURE


WITHOUT_EXTRAS = f"""
import importlib, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {sorted(OPTIONAL)!r}:
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
for name in {sorted(CORE.keys() - {"_fast"})!r}:
    importlib.import_module("kube_reflect" if name == "__init__" else "kube_reflect." + name)
leaves = [name for name in {sorted(LEAVES)!r} if "kube_reflect." + name in sys.modules]
sys.exit(f"loaded with the core: {{leaves}}" if leaves else 0)
"""


def test_the_core_works_without_any_extra() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS], cwd=ROOT, capture_output=True, text=True, timeout=50
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("path", python_files("kube_reflect", "tests", "examples"), ids=relative)
def test_nothing_is_imported_by_star_or_swallowed(path: Path) -> None:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ImportFrom):
            assert "*" not in {alias.name for alias in node.names}, f"line {node.lineno}"
        if isinstance(node, ast.ExceptHandler) and isinstance(node.body[0], ast.Pass):
            caught = "" if node.type is None else ast.unparse(node.type)
            assert caught not in {"", "Exception", "BaseException"}, f"line {node.lineno}"


def sleeps(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "time.sleep":
            yield node.lineno
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            if "sleep" in {alias.name for alias in node.names}:
                yield node.lineno


# The benchmark's clock-watching thread measures how late its sleeps end.
SLEEPLESS = [path for path in python_files("tests", "examples") if "bench" not in path.parts]


@pytest.mark.parametrize("path", SLEEPLESS, ids=relative)
def test_nothing_waits_by_sleeping(path: Path) -> None:
    assert not list(sleeps(parse(path)))


def asserts(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func)
    return name in {"pytest.raises", "pytest.warns", "pytest.fail"} or bool(
        re.match(r"_?(assert|check|expect)", name.rsplit(".", 1)[-1])
    )


@pytest.mark.parametrize(
    "path", [path for path in python_files("tests") if path.stem.startswith("test_")], ids=relative
)
def test_every_test_asserts(path: Path) -> None:
    idle = {
        node.name
        for node in functions(parse(path))
        if node.name.startswith("test_") and not any(map(asserts, ast.walk(node)))
    }
    assert not idle


UNWANTED = {
    "an absolute path of somebody's machine": r"(?<![\w.:/-])/(?:work|root|home|tmp)/",
    "a number from a tracker": r"(?i)\bissue\s+#?\d",
    "a package registry's host": r"python(?:hosted)\.org|pypi(?:\.)org|npm(?:js)\.",
    "a note to oneself": r"\b(?:TO(?:DO)|FIX(?:ME)|X{3})\b",
    "a banner": r"(?m)^\s*#\s*[-=#*~]{4,}",
}


@pytest.mark.parametrize(
    "path", [*python_files("kube_reflect", "tests", "examples"), ROOT / "README.rst"], ids=relative
)
def test_nothing_that_belongs_elsewhere_is_written_here(path: Path) -> None:
    text = path.read_text("utf-8")
    found = {
        what: match[0]
        for what, pattern in UNWANTED.items()
        if (match := re.search(pattern, text))
    }
    assert not found


def public_callables() -> Iterator[tuple[str, object]]:
    for name in kube_reflect.__all__:
        value = getattr(kube_reflect, name)
        if not isinstance(value, (type, types.FunctionType)):
            continue
        yield name, value
        for attribute, member in vars(value).items() if isinstance(value, type) else ():
            if not attribute.startswith("_") and isinstance(
                member, (property, classmethod, staticmethod, types.FunctionType)
            ):
                yield f"{name}.{attribute}", member


def test_public_names_have_docstrings_that_begin_with_a_sentence() -> None:
    first_lines = {
        name: (value.__doc__ or "").strip().split("\n")[0] for name, value in public_callables()
    }
    assert first_lines
    assert not {name: line for name, line in first_lines.items() if not line.endswith((".", ":"))}
