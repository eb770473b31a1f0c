"""The rules of the house that a machine can check: sizes, layers, what may be imported where."""

from __future__ import annotations

import ast
import functools
import importlib
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

#: What all stand on, and the words, which stand on the words alone.
GROUND = {"_version", "ground"}
WORDS = {
    "backoff", "conditions", "config", "errors", "events", "indexers", "object_ref", "predicates",
    "selector", "shard", "status", "transforms",
}
#: Which rooms a room may import, by their doors: arrows go one way.
ROOMS: dict[str, set[str]] = {
    "client": set(),
    "wire": {"client"},
    "watcher": {"wire"},
    "streams": {"watcher"},
    "store": set(),
    "dispatcher": {"store"},
    "reflector": {"client", "wire", "watcher", "streams", "store", "dispatcher"},
    "signals": set(),
}
#: A leaf uses the public names, and these besides.
LEAVES: dict[str, set[str]] = {
    "cli": {"kube_reflect.testing", "kube_reflect.testing.columns"},
    "metrics": set(),
    # An application declares what it reads before it has a client: what kind that is, and by which
    # model it is read, is to be known all the same.
    "contrib": {"kube_reflect.client", "kube_reflect.reflector.CustomObjects",
                "kube_reflect.reflector.ListOf", "kube_reflect.reflector.Unnamed",
                "kube_reflect.metrics"},
    # A store without a server hands out what a reflector's would.
    "testing": {"kube_reflect.client.view_maker"},
    "__main__": {"kube_reflect.cli"},
}
OPTIONAL = {"django", "flask", "msgspec", "prometheus_client", "rich", "zstandard"}
#: The modules that know one of them, and do without it.
KNOWS = {"kube_reflect.ground.fast": {"msgspec"}, "kube_reflect.store.compression": {"zstandard"}}
# The watcher is a pure state machine.
IMPURE = {"asyncio", "concurrent", "datetime", "queue", "sched", "threading", "time"}
#: Underscore attributes that are no object's secret, or have no public name, and why.
REACHED = {
    "_replace": "public, of every NamedTuple",
    "_current_frames": "sys has no other",
    "_getframe": "sys has no other",
    "_is_owned": "of a lock of C, after a fork",
    "_at_fork_reinit": "of a lock of C, after a fork",
    "_dangling": "of threading, for its tests: there is no other way out of it",
    "_new_conn": "urllib3 means it to be overridden",
    "_dns_host": "urllib3: whom to connect to",
    "_exit": "os has no other",
    "_proceed": "of an Exchange, by those who wrap it",
}


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text("utf-8"), relative(path))))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in nodes(path):
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


def imports(path: Path) -> set[str]:
    """Return all that a module imports, in functions and for type checkers too."""
    package = list(path.relative_to(ROOT).parent.parts)
    return {name for node in nodes(path) for name in import_targets(node, package)}


def third_party(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    return module.partition(".")[2].partition(".")[0]


PYTHON = python_files("kube_reflect", "tests", "examples")
MODULES = {dotted(path): path for path in python_files("kube_reflect")}


def own_modules(module: str) -> set[str]:
    """Return the modules of the package that one imports; of others in them, the doors."""
    return {name for name in imports(MODULES[module]) if name in MODULES} - {"kube_reflect"}


CORE = sorted(name for name in MODULES if room_of(name) not in LEAVES)


def test_the_top_level_holds_only_what_the_design_allows() -> None:
    found = {path.name for path in ROOT.iterdir() if not BUILT.fullmatch(path.name)}
    assert found <= TOP_LEVEL


def test_modules_are_small() -> None:
    long = {relative(path): lines for path in PYTHON
            if (lines := len(path.read_text("utf-8").splitlines())) > 400}
    assert not long


def test_functions_are_small() -> None:
    long = {(relative(path), node.name): lines for path in PYTHON for node in functions(path)
            if (lines := (node.end_lineno or 0) - node.lineno + 1) >= 50}
    assert not long


def test_every_module_has_its_place() -> None:
    placed = GROUND | WORDS | ROOMS.keys() | LEAVES.keys() | {""}
    strangers = {name for name in MODULES if room_of(name) not in placed}
    assert not strangers, "give them a room, and the room a place in the design"


def test_arrows_between_rooms_go_one_way() -> None:
    """Who may be imported comes before who may import it."""
    before: set[str] = set()
    for room, allowed in ROOMS.items():
        assert allowed <= before, room
        before.add(room)


def allowed_to(room: str) -> set[str]:
    if room in GROUND:
        return GROUND
    return WORDS if room in WORDS else GROUND | WORDS | ROOMS[room]


def test_a_room_imports_only_what_it_may_and_by_the_door() -> None:
    arrows = [(module, name) for module in CORE if module != "kube_reflect"
              for name in own_modules(module) if room_of(name) != room_of(module)]
    assert not [(module, name) for module, name in arrows
                if room_of(name) not in allowed_to(room_of(module))]
    assert not [(module, name) for module, name in arrows
                if name.count(".") > 1 and room_of(name) != "ground"]


@pytest.mark.parametrize("room", ["client", "wire", "watcher", "store", "dispatcher",
                                  "reflector"])
def test_the_door_of_a_room_is_narrow(room: str) -> None:
    assert 3 <= len(importlib.import_module(f"kube_reflect.{room}").__all__) <= 8


def test_a_leaf_uses_public_names_alone() -> None:
    for module in sorted(set(MODULES) - set(CORE)):
        room, package = room_of(module), list(MODULES[module].relative_to(ROOT).parent.parts)
        for node in nodes(MODULES[module]):
            for name in import_targets(node, package) if isinstance(node, ast.ImportFrom) else ():
                origin, _, last = name.rpartition(".")
                if origin.startswith("kube_reflect.") and room_of(name) not in WORDS | {room}:
                    assert last in kube_reflect.__all__ or {name, origin} & LEAVES[room], (
                        module, name)


def test_imports_run_in_no_circle() -> None:
    """Within a room neither, and for type checkers neither."""
    # A module does not wait for the door of its own room.
    graph = {name: {other for other in own_modules(name) if other != name and not (
        name.startswith(other + "."))} for name in MODULES}
    while free := {name for name, needed in graph.items() if not needed}:
        graph = {name: needed - free for name, needed in graph.items() if name not in free}
    assert not graph


def test_the_core_never_imports_a_leaf_or_what_only_leaves_need() -> None:
    for module in CORE:
        assert not {room_of(name) for name in own_modules(module)} & LEAVES.keys(), module
        assert third_party(MODULES[module]) & OPTIONAL <= KNOWS.get(module, set()), module


def test_only_one_room_calls_the_official_client() -> None:
    users = {room_of(name) for name in CORE
             if third_party(MODULES[name]) & {"kubernetes", "urllib3"}}
    assert users <= {"client"}


def test_nobody_reaches_into_another_object() -> None:
    """What begins with an underscore is its class's, and that of the module that it is in."""
    reaches = {name: found for name, path in MODULES.items() if (found := reaches_of(nodes(path)))}
    assert not reaches


def reaches_of(tree: list[ast.AST]) -> list[str]:
    own = {node.name for node in tree
           if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    own |= {node.attr for node in tree if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store) and is_self(node.value)}
    # As in `object.__setattr__(self, "_key", …)`.
    own |= {node.value for node in tree
            if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return [f"line {node.lineno}: {ast.unparse(node)}" for node in tree
            if isinstance(node, ast.Attribute) and re.match(r"_(?!_)", node.attr)
            and not (is_self(node.value) or node.attr in own or node.attr in REACHED)]


def is_self(node: ast.AST) -> bool:
    return ast.unparse(node) in ("self", "cls", "super()")


def test_only_the_store_changes_the_cache() -> None:
    changed = [(module, ast.unparse(node)) for module in CORE if room_of(module) != "store"
               for node in nodes(MODULES[module])
               if isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del))
               and re.search(r"\b_?cache$", ast.unparse(node.value))]
    assert not changed


def test_the_watcher_has_no_threads_and_no_clock() -> None:
    assert not [name for name, path in MODULES.items()
                if room_of(name) == "watcher" and third_party(path) & IMPURE]


WITHOUT_EXTRAS = f"""
import importlib, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {sorted(OPTIONAL)!r}:
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
for name in {sorted(set(CORE) - {"kube_reflect.ground.fast"})!r}:
    importlib.import_module(name)
leaves = [name for name in {sorted(LEAVES)!r} if "kube_reflect." + name in sys.modules]
sys.exit(f"loaded with the core: {{leaves}}" if leaves else 0)
"""


def test_the_core_works_without_any_extra() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS], cwd=ROOT, capture_output=True, text=True, timeout=50
    )
    assert ran.returncode == 0, ran.stderr


def test_nothing_is_imported_by_star() -> None:
    assert not [(relative(path), node.lineno) for path in PYTHON for node in nodes(path)
                if isinstance(node, ast.ImportFrom) and "*" in {one.name for one in node.names}]


def test_nothing_is_swallowed_without_a_word() -> None:
    for path in PYTHON:
        lines = path.read_text("utf-8").splitlines()
        for node in nodes(path):
            if isinstance(node, ast.ExceptHandler) and isinstance(node.body[0], ast.Pass):
                caught = "" if node.type is None else ast.unparse(node.type)
                if caught in {"", "Exception", "BaseException"}:
                    said = "\n".join(lines[node.lineno - 1:node.body[0].lineno])
                    assert "#" in said, (relative(path), node.lineno)


def sleeps(path: Path) -> Iterator[int]:
    for node in nodes(path):
        if isinstance(node, ast.Attribute) and node.attr == "sleep":
            if ast.unparse(node) == "time.sleep":
                yield node.lineno
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            if "sleep" in {alias.name for alias in node.names}:
                yield node.lineno


# The benchmark's clock-watching thread measures how late its sleeps end.
SLEEPLESS = [path for path in python_files("tests", "examples") if "bench" not in path.parts]


def test_nothing_waits_by_sleeping() -> None:
    assert not {relative(path): found for path in SLEEPLESS if (found := [*sleeps(path)])}


def asserts(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func)
    return name in {"pytest.raises", "pytest.warns", "pytest.fail", "interrupt_everywhere",
                    "interrupt"} or bool(
        re.match(r"_?(assert|check|expect)", name.rsplit(".", 1)[-1])
    )


def test_every_test_asserts() -> None:
    idle = {(relative(path), node.name)
            for path in python_files("tests") if path.stem.startswith("test_")
            for node in functions(path)
            if node.name.startswith("test_") and not any(map(asserts, ast.walk(node)))}
    assert not idle


UNWANTED = {
    "an absolute path of somebody's machine": r"(?<![\w.:/-])/(?:work|root|home|tmp)/",
    "a number from a tracker": r"(?i)\bissue\s+#?\d",
    "a package registry's host": r"python(?:hosted)\.org|pypi(?:\.)org|npm(?:js)\.",
    "a note to oneself": r"\b(?:TO(?:DO)|FIX(?:ME)|X{3})\b",
    "a banner": r"(?m)^\s*#\s*[-=#*~]{4,}",
}


def test_nothing_that_belongs_elsewhere_is_written_here() -> None:
    found = {(relative(path), what): match[0] for path in [*PYTHON, ROOT / "README.rst"]
             for what, pattern in UNWANTED.items()
             if (match := re.search(pattern, path.read_text("utf-8")))}
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


def test_nothing_calls_python_where_an_object_is_forgotten() -> None:
    """An exception that comes there is lost; see `ground.forgotten`."""
    called = {(module, node.func.attr) for module, path in MODULES.items()
              if room_of(module) != "testing" for node in nodes(path)
              if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}
    assert not [(module, name) for module, name in called if name in {
        "WeakSet", "WeakKeyDictionary", "WeakValueDictionary", "finalize"}]
