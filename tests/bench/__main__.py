"""Compare the official informer with kube_reflect, side by side."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import sys
import time
from pathlib import Path

from tests.bench import _metadata, _picture, _profile, _readme, _report, _run


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--sizes", default="1000,5000,20000", metavar="N,N,…",
                        help="numbers of pods; 100000 takes a while and some GB (default: "
                             "%(default)s)")
    parser.add_argument("--main", type=int, default=5000, metavar="N",
                        help="the size for which every figure is taken (default: %(default)s, "
                             "or else the largest)")
    parser.add_argument("--repeats", type=int, default=3, metavar="N",
                        help="turns at the main size (default: %(default)s)")
    parser.add_argument("--quick", action="store_true",
                        help="500 pods, one turn: to see that it works, not to compare")
    parser.add_argument("--fast", action=argparse.BooleanOptionalAction, default=None,
                        help="also with the fast JSON parser (default: if it is installed)")
    parser.add_argument("--modes", action=argparse.BooleanOptionalAction, default=True,
                        help="also what an object costs in each mode of the store")
    parser.add_argument("--official-limit", type=int, default=20000, metavar="N",
                        help="leave the official informer out above this size (default: "
                             "%(default)s)")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), metavar="PATH",
                        help="where the figures go (default: %(default)s)")
    parser.add_argument("--png", type=Path, default=Path("build/bench.png"), metavar="PATH",
                        help="where the picture goes (default: %(default)s)")
    parser.add_argument("--readme", action="store_true",
                        help="put the figures and the picture of the last run into the README")
    parser.add_argument("--metadata", action="store_true",
                        help="what metadata alone costs against whole pods, and nothing else")
    parser.add_argument("--profile", action="store_true",
                        help="profile the sync and the events of kube_reflect instead")
    return parser.parse_args()


def _plan(arguments: argparse.Namespace) -> _run.Plan:
    fast = arguments.fast
    if fast is None:
        fast = importlib.util.find_spec("msgspec") is not None
    if arguments.quick:
        return _run.Plan(sizes=(500,), main=500, repeats=1, fast=fast, modes=arguments.modes,
                         slow_events=200, events=2000, rate=200, seconds=0.2)
    sizes = sorted({int(size) for size in arguments.sizes.split(",")})
    main = arguments.main if arguments.main in sizes else sizes[-1]
    return _run.Plan(sizes=sizes, main=main, repeats=arguments.repeats, fast=fast,
                     modes=arguments.modes, official_limit=arguments.official_limit)


def _about() -> dict[str, str]:
    about = {"cores": str(os.cpu_count()),
             platform.python_implementation(): platform.python_version()}
    for name in ("kubernetes", "urllib3", "msgspec"):
        try:
            about[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return about


def main() -> int:
    """Run, print the tables, write the files."""
    arguments = _arguments()
    if arguments.metadata:
        print(_metadata.text(*_metadata.measure()))
        return 0
    if arguments.readme:
        _readme.main(arguments.json, arguments.png)
        return 0
    plan = _plan(arguments)
    if arguments.profile:
        _profile.main(plan.main, plan.events)
        return 0
    began = time.monotonic()
    outcome = _run.run(plan, lambda what: print(what, file=sys.stderr, flush=True))
    about = _about()
    print(_report.text(plan, outcome, about))
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(outcome.as_json(plan, about), encoding="utf-8")
    written = [str(arguments.json)]
    try:
        _picture.draw(plan, outcome, arguments.png)
        written.append(str(arguments.png))
    except ImportError:
        print("No picture: matplotlib is not installed (the extra [bench] has it).")
    print(f"Took {time.monotonic() - began:.0f} s; wrote {' and '.join(written)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
