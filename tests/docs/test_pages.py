"""What the manual says is what the code has: its tables, its names, its links, the log."""

from __future__ import annotations

import ast
import configparser
import dataclasses
import enum
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import kube_reflect
from kube_reflect import Config, Phase, Reason, Reflector, Status, conditions
from kube_reflect.client import pool, versions
from kube_reflect.wire import lines
from kube_reflect.wire import pages as wire_pages

from tests.support._examples import ROOT
from tests.support.pages import chapter, check_it_parses, pages

ROOMS = ROOT / "kube_reflect"
REFLECTOR = ROOMS / "reflector" / "README.rst"
PAGES = pytest.mark.parametrize(
    "page", pages(), ids=lambda path: path.relative_to(ROOT).as_posix())


def names_in(table: str) -> list[str]:
    """Return the names in the first column of a simple table, also where there are several."""
    return [name for row in re.findall(r"^(``.*?``(?:, ``\w+``)*)", table, re.M)
            for name in re.findall(r"``(\w+)``", row)]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.rst").read_text("utf-8").splitlines()) <= 300


@PAGES
def test_a_page_parses(page: Path) -> None:
    if page.parent == ROOT / "tests" / "docs":
        # It is of Sphinx's own directives.
        assert ".. autoclass::" in page.read_text("utf-8")
    else:
        check_it_parses(page)


@PAGES
def test_a_page_is_in_the_manual_and_its_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    conf = (ROOT / "tests" / "docs" / "conf.py").read_text("utf-8")
    name = page.relative_to(ROOT).with_suffix("").as_posix()
    assert f'"{name}"' in conf
    for target in re.findall(r"<([^<>]+)>`_", text):
        assert (page.parent / target).resolve() in pages(), target
    for target in re.findall(r"^\.\. image:: (\S+)", text, re.M):
        assert (page.parent / target).is_file(), target
    # Files of the checkout, where a page names one.
    for target in re.findall(r"``((?:examples|tests|kube_reflect)/[\w./]+)``", text):
        assert (ROOT / target).exists(), target


@PAGES
def test_names_of_the_library_exist(page: Path) -> None:
    for name in set(re.findall(r"``(kube_reflect(?:\.(?!E\d)\w+)+)(?:\(.*?\))?``",
                               page.read_text("utf-8"))):
        module, rest = name, []
        while importlib.util.find_spec(module.partition(".")[0]) and not _is_module(module):
            module, _, last = module.rpartition(".")
            rest.append(last)
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            # Of an extra that is not installed.
            assert not (error.name or "").startswith("kube_reflect"), name
            continue
        for attribute in reversed(rest):
            assert hasattr(found, attribute), name
            found = getattr(found, attribute)


def _is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def test_all_that_a_reflector_takes_is_told() -> None:
    table = chapter(REFLECTOR, "What a Reflector takes")
    parameters = inspect.signature(Reflector).parameters
    told = names_in(table.partition("======\n")[2])
    assert told == [name for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY]
    for name in ("ready_timeout", "decoded_limit"):
        [row] = [row for row in table.splitlines() if row.startswith(f"``{name}``")]
        assert row.endswith(f": {parameters[name].default:,g}"), row
    assert parameters["when_not_ready"].default == "wait"


def test_the_table_of_config_is_that_of_the_class() -> None:
    rows = re.findall(r"\* - ``(\w+)``\n     - ``(\S+)``\n", chapter(REFLECTOR, "Config"))
    defaults = []
    for field in dataclasses.fields(Config):
        value = field.default
        defaults.append((field.name, value.name if isinstance(value, enum.Enum) else repr(value)))
    assert rows == defaults


def test_every_field_of_a_status_is_told() -> None:
    told = chapter(REFLECTOR, "Status")
    assert not {field.name for field in dataclasses.fields(Status)
                if f"``{field.name}``" not in told}
    assert not {phase.name for phase in Phase if f"``{phase.name}``" not in told}


def test_every_reason_of_a_deletion_is_told() -> None:
    table = chapter(ROOMS / "dispatcher" / "README.rst", "Subscriptions")
    told = names_in(table.partition("====\n")[2].rpartition("\n====")[0])
    assert told == [reason.name for reason in Reason]


def test_every_error_is_told() -> None:
    errors = {name for name in kube_reflect.__all__
              if isinstance(value := getattr(kube_reflect, name), type)
              and issubclass(value, Exception)}
    assert not {name for name in errors if f"``{name}``" not in chapter(REFLECTOR, "Errors")}


def test_every_public_name_is_in_the_reference() -> None:
    told = set(re.findall(r"^\.\. auto\w+:: (\w+)$",
                          (ROOT / "tests" / "docs" / "api.rst").read_text("utf-8"), re.M))
    # Two unions of classes, and a string.
    assert set(kube_reflect.__all__) - told == {"Change", "Event", "__version__"}


def test_every_condition_is_told() -> None:
    told = chapter(ROOMS / "store" / "README.rst", "Waiting for something")
    assert not {name for name in conditions.__all__
                if name != "Condition" and not re.search(rf"``{name}\b", told)}


def test_the_extras_are_told() -> None:
    declared = configparser.ConfigParser()
    declared.read(ROOT / "setup.cfg", "utf-8")
    told = re.findall(r"^``\[(\w+)\]``", chapter(ROOT / "README.rst", "Install"), re.M)
    assert set(told) == set(declared["options.extras_require"])
    required = declared["options"]["install_requires"]
    assert "kubernetes>=27.2,!=36.0.0,!=36.0.1\n" in required
    assert versions._TRIED == (27, 37)


def test_the_targets_of_make_are_told() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", makefile, re.M))
    page = (ROOT / "tests" / "README.rst").read_text("utf-8")
    assert set(re.findall(r"``make ([a-z0-9-]+)``", page)) == targets


def test_the_examples_are_told() -> None:
    told = chapter(ROOT / "examples" / "README.rst", "The examples")
    there = {path.name for path in (ROOT / "examples").iterdir()
             if path.name not in ("README.rst", "__pycache__")}
    assert set(re.findall(r"^``(\S+)``", told, re.M)) == there


def test_the_limits_are_those_of_the_code() -> None:
    told = chapter(ROOMS / "limits.rst", "A server that misbehaves")
    mib = 1024 * 1024
    for bound in (f"{lines._LONGEST_LINE // mib} MiB, and", f"{wire_pages._MOST_HELD // mib} MiB",
                  f"{lines._LIST_SILENCE:g} s, or", f"{pool._ERROR_BODY // 1024} KiB"):
        assert f"- {bound}" in told, bound


def log_messages() -> Iterator[str]:
    """Find the format of each message of the log, but of the leaves that are programs."""
    for path in sorted(ROOMS.rglob("*.py")):
        if path.relative_to(ROOMS).parts[0] in ("cli", "testing"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, (ast.Name, ast.Attribute))
                    and ast.unparse(node.func.value).endswith("logger")
                    and node.func.attr in ("info", "warning", "error", "exception", "log")):
                yield next(one.value for one in node.args if isinstance(one, ast.Constant)
                           and isinstance(one.value, str))


@pytest.mark.parametrize("message", sorted(set(log_messages())))
def test_what_the_log_says_is_explained(message: str) -> None:
    told = chapter(ROOMS / "troubleshooting.rst", "What the log says")
    terms = re.findall(r"^``(.*)``$", told, re.M)
    pattern = "".join(".*" if part.startswith("%") else re.escape(part)
                      for part in re.split(r"(%[a-z])", message))
    assert [term for term in terms if re.fullmatch(pattern, term)], message
