"""Run the suite with each version of the official client that is supported: `make matrix`.

    python -m tests.matrix                  all corners
    python -m tests.matrix 36 33 --quick    these, as CI does, and fewer tests
    python -m tests.matrix --whole          all corners with the whole suite, in an hour
    python -m tests.matrix 30.1 --python /path/to/python3.14
    python -m tests.matrix --table          run nothing; what came of the last run of each corner

The oldest and the newest version are run with the whole suite, but for what takes long or says the
same each time. Between them it is the tests that meet the client: to the others, only the Python
makes a difference.

Python 3.14 and 3.15 are packages of Debian sid. As root, in a copy of the checkout within:

    debootstrap --variant=minbase --include=python3.14-venv,python3.15-venv,openssl sid ROOT
    git ls-files -z | xargs -0 cp --parents -t ROOT/src
    chroot ROOT sh -c 'cd /src && python3.14 -m tests.matrix 37 35 --python /usr/bin/python3.14'

Each corner has a virtual environment of its own, made once, in .venv/matrix. An interpreter that
is not to be found is left out, and said.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venv" / "matrix"
#: What a version needs to be installed beside it, and the oldest and newest Python it is run on.
CORNERS = {
    "27.2": ((), ("3.10", "3.13")),
    "28.1": (("urllib3<2",), ("3.10", "3.13")),
    "30.1": ((), ("3.10", "3.13")),
    "33": ((), ("3.10", "3.13")),
    "35": ((), ("3.10", "3.13")),
    "36": ((), ("3.10", "3.13")),
    "37": ((), ("3.10", "3.13")),
}
#: With --quick: what touches the client, on the newest Python, or else on the one that runs this.
QUICK = ("tests/client", "tests/contract/test_close.py", "tests/contract/test_custom_resources.py",
         "tests/contract/test_list_and_watch.py", "tests/contract/test_metadata_only.py",
         "tests/contract/test_models.py", "tests/contract/test_strategies.py")
#: Of the whole suite: what says the same with each version.
ONCE = ("tests/bench", "tests/contrib", "tests/docs", "tests/history", "tests/hosts",
        "tests/test_house_rules.py", "tests/test_packaging.py")
#: Rooms that meet the client; in the others, a module of tests does that imports it.
MEETING = ("tests/cli", "tests/client", "tests/contract", "tests/reflector",
           "tests/test_examples.py")
#: For tests that are skipped without them.
BESIDE = ("hypothesis", "docutils", "setuptools", "PySocks", "vcrpy")
#: Printed by a corner's interpreter: what an `Outcome` begins with.
VERSIONS = """if True:
    import platform, kubernetes, urllib3
    pydantic = hasattr(kubernetes.client.V1Pod, "model_dump")
    print(kubernetes.__version__, platform.python_version(), urllib3.__version__,
          "pydantic models" if pydantic else "plain classes", sep="\\n")
"""


class Corner(NamedTuple):
    """One combination of versions."""

    kubernetes: str
    beside: tuple[str, ...]
    python: str

    @property
    def venv(self) -> Path:
        return VENVS / "-".join((self.kubernetes, *map(_plain, self.beside), _plain(self.python)))

    @property
    def outcome(self) -> Path:
        """Where it is kept what came of the last run that was not a quick one."""
        return self.venv / "outcome.json"


class Outcome(NamedTuple):
    """What came of a run."""

    kubernetes: str
    python: str
    urllib3: str
    #: What K is for `list_namespaced_pod`.
    models: str
    tests: str
    failed: bool


def _plain(text: str) -> str:
    return re.sub(r"[^\w.]+", "", text.removeprefix(str(Path.home())))


def interpreter(python: str) -> str | None:
    """Find a Python by its version, or by its path; None where there is none that runs."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [] if "/" in python else sorted(versions.glob(f"{python}.*/bin/python"))
    for candidate in (*map(str, found), shutil.which(f"python{python}"), shutil.which(python)):
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True).returncode == 0:
            return candidate
    return None


def prepare(corner: Corner, base: str) -> Path:
    """Make the environment, if there is none yet; return its interpreter.

    :raises subprocess.CalledProcessError: what is wanted cannot be installed together.
    """
    made = corner.venv / "made"
    python = corner.venv / "bin" / "python"
    if not made.exists():
        shutil.rmtree(corner.venv, ignore_errors=True)
        subprocess.run([base, "-m", "venv", corner.venv], check=True)
        subprocess.run(
            [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet",
             f"kubernetes=={corner.kubernetes}.*", *corner.beside, *BESIDE,
             "--use-pep517", "--editable", f"{ROOT}[cli,fast,test]"],
            check=True, capture_output=True, text=True)
        made.touch()
    return python


def meeting() -> Iterator[str]:
    """Find the tests that meet the client."""
    yield from (*MEETING, "--ignore-glob=*interrupt*")
    for path in sorted(ROOT.glob("tests/**/test_*.py")):
        name = str(path.relative_to(ROOT))
        imports = re.search(r"^ *(?:from|import) kubernetes\b", path.read_text("utf-8"), re.M)
        if imports and not name.startswith((*ONCE, *MEETING)):
            yield name


def run(corner: Corner, quick: bool, whole: bool, more: list[str]) -> Outcome:
    """Run the tests in a corner."""
    base = interpreter(corner.python)
    if base is None:
        return Outcome(corner.kubernetes, corner.python, "", "", "no such interpreter", False)
    try:
        python = prepare(corner, base)
    except subprocess.CalledProcessError as error:
        print(error.stderr or error, file=sys.stderr)
        return Outcome(corner.kubernetes, corner.python, "", "", "cannot be installed", True)
    said = subprocess.run([python, "-c", VERSIONS], check=True, capture_output=True,
                          text=True).stdout.splitlines()
    if quick:
        what = list(QUICK)
    elif whole or corner.kubernetes in (min(CORNERS, key=_numbers), max(CORNERS, key=_numbers)):
        what = [f"--ignore={path}" for path in ONCE]
    else:
        what = list(meeting())
    ran = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not e2e and not slow",
         *what, *more], cwd=ROOT, capture_output=True, text=True)
    (corner.venv / "pytest.log").write_text(ran.stdout + ran.stderr)
    lines = ran.stdout.splitlines() or [ran.stderr]
    for line in lines:
        if line.startswith(("FAILED", "ERROR")):
            print(f"  {line}", flush=True)
    if ran.returncode not in (0, 1):
        lines.append(f"pytest ended with {ran.returncode}")
    counted = re.sub(r", \d+ deselected| in [\d.]+s.*|=+ ?", "", lines[-1])
    outcome = Outcome(*said, counted, ran.returncode != 0)
    if not quick and not more and ran.returncode in (0, 1):
        corner.outcome.write_text(json.dumps(outcome))
    return outcome


def corners(versions: list[str], pythons: list[str], quick: bool) -> Iterator[Corner]:
    for version in versions or CORNERS:
        known: tuple[str, ...]
        beside, known = CORNERS.get(version, ((), ("3.10", "3.13")))
        if quick:
            known = (known[-1] if interpreter(known[-1]) else sys.executable,)
        for python in pythons or known:
            yield Corner(version, beside, python)


def table(outcomes: Iterable[Outcome]) -> str:
    """Return the outcomes as a table of reStructuredText."""
    head = ("kubernetes", "Python", "urllib3", "``V1Pod`` and its kin", "tests")
    rows = [tuple(map(str, one[:-1])) for one in sorted(outcomes, key=_in_order)]
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    rule = ["=" * width for width in widths]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        for row in (rule, head, rule, *rows, rule))


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _in_order(outcome: Outcome) -> list[list[int]]:
    return [_numbers(outcome.kubernetes), _numbers(outcome.python)]


def kept() -> list[Outcome]:
    """Return what came of the last run of each corner that was not a quick one."""
    return [Outcome(*json.loads(path.read_text())) for path in VENVS.glob("*/outcome.json")]


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.matrix", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", help=f"of the client: {', '.join(CORNERS)}")
    parser.add_argument("--python", action="append", default=[],
                        help="a version, or the path of an interpreter, in place of the usual")
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", action="store_true", help="only what touches the client")
    extent.add_argument("--whole", action="store_true",
                        help="the whole suite between the oldest and the newest, too")
    parser.add_argument("--table", action="store_true",
                        help="run nothing; print what came of the last run of each")
    options, more = parser.parse_known_args()
    if options.table:
        print(table(kept()))
        return 0
    outcomes = []
    for corner in corners(options.versions, options.python, options.quick):
        print(f"kubernetes {corner.kubernetes}, Python {corner.python} …", flush=True)
        began = time.monotonic()
        outcomes.append(run(corner, options.quick, options.whole, more))
        print(f"  {outcomes[-1].tests}, in {time.monotonic() - began:.0f} s", flush=True)
    print(f"\n{table(outcomes)}")
    return int(any(one.failed for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
