"""An exception at every place of an operation where one may arrive, and a look at what is left.

An exception that a thread does not raise itself (Ctrl-C, a signal handler's time limit,
`PyThreadState_SetAsyncExc`) arrives where a Python function begins, after a function of C has
returned, or at the end of a loop. `interrupt_everywhere` runs an operation again and again, each
time with something new to work on, and raises at the first such place, at the second, and so on
until the operation ends by itself. After each, another thread looks whether all is well, while
the interrupted thread still lives::

    def make() -> Writer: ...                       # something new, for each run
    def operate(writer: Writer) -> None: ...        # what is interrupted
    def check(writer: Writer, run: Run) -> None:    # from another thread, with a deadline
        writer.apply_watcher_event(...)
        assert ...

    places = interrupt_everywhere(make, operate, check, error=Abort)

It fails, and says at which place, if the operation or the check does not end in time, if the
check raises, or if the exception was swallowed. The loop ends are not among the places: what is
true of a loop's end is true of the next call in it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import inspect
import os
import random
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

import kube_reflect

from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

__all__ = ["ERRORS", "FILES", "Abort", "Misread", "Run", "TimeLimit", "interrupt_everywhere",
           "interruptible", "throw_into", "ways"]

T = TypeVar("T")

#: A file is interrupted in if its path begins with one of these, or has the name of such a part.
FILES = (str(Path(kube_reflect.__file__).parent), threading.__file__, "readerwriterlock")


class Abort(BaseException):
    """An interruption like KeyboardInterrupt."""


class TimeLimit(Exception):
    """An interruption like Celery's SoftTimeLimitExceeded, which is an Exception."""


class Misread(ValueError):
    """An interruption that is a ValueError, as parsers raise for what they cannot read."""


#: Both kinds, for `pytest.mark.parametrize`.
ERRORS = (Abort, TimeLimit)
#: Of so many places one is tried by the quick tests.
STEP = 10


def ways(first: type[BaseException], *others: type[BaseException]) -> list[ParameterSet]:
    """Return for `pytest.mark.parametrize` how to call `interrupt_everywhere`.

    The quick tests try some of the places with the first error; the slow ones try all, with each.
    """
    return [pytest.param({"error": first, "step": STEP}, id=f"{first.__name__}-some"),
            *(pytest.param({"error": error}, id=error.__name__, marks=pytest.mark.slow)
              for error in (first, *others))]


@dataclass
class Run:
    """How one run of the operation went.

    :param number: the place at which it was to be interrupted, counted from 1.
    """

    number: int
    #: How many places it came to.
    passed: int = 0
    #: Where it was interrupted; empty if it ended by itself before.
    place: str = ""
    #: What the operation returned.
    value: Any = None
    #: What the operation raised; without its traceback, whose frames would keep objects alive.
    raised: BaseException | None = None
    #: That traceback, as text.
    trace: str = ""
    #: What Python could only print: where a generator that was left is closed, a profile function
    #: is called, though no other exception arrives there.
    unraisable: list[BaseException] = field(default_factory=list)

    @property
    def interrupted(self) -> bool:
        """Whether the exception was raised at all."""
        return bool(self.place)

    def __str__(self) -> str:
        return f"interrupted at place {self.number}, {self.place or 'after the end'}"


def interruptible(operate: Callable[[], object], error: type[BaseException],
                  noted: list[None], is_over: Callable[[], object]) -> threading.Thread:
    """Start a thread that runs something again and again, and notes what interrupts it.

    Return when it does: what comes before would end it.

    :param noted: gets an item for each interrupt; the next is to come after that.
    :param is_over: says when to end, in that thread.
    """
    begun: list[None] = []

    def operating() -> None:
        if not begun:
            begun.append(None)
        operate()

    def noting(body: Callable[[], object]) -> None:
        while not is_over():
            try:
                body()
            except error:
                noted.append(None)

    # One within the other, for an exception that comes when another was just noted; and so on, for
    # on a busy machine that may go on.
    run: Callable[[], object] = operating
    for _ in range(9):
        run = functools.partial(noting, run)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_until(lambda: begun, "the beginning")
    return thread


def throw_into(thread: threading.Thread, error: type[BaseException], noted: list[None]) -> None:
    """Throw an exception into such a thread, and wait until it has noted that."""
    before = len(noted)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident or 0), ctypes.py_object(error))
    wait_until(lambda: len(noted) > before, "that an interrupt was noted", every=0.0001)


class _Interrupter:
    """A profile function that raises at a place."""

    def __init__(self, run: Run, error: BaseException, files: tuple[str, ...]) -> None:
        self._run = run
        self._error = error
        self._files = files
        self._known: dict[str, bool] = {}

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        if event not in ("call", "c_return") or not self._is_of_interest(frame):
            return
        self._run.passed += 1
        if self._run.passed == self._run.number:
            sys.setprofile(None)
            code = frame.f_code
            after = f" after {arg.__name__}" if event == "c_return" else ""
            self._run.place = (f"{event} at {'/'.join(Path(code.co_filename).parts[-2:])}:"
                               f"{frame.f_lineno} in {code.co_name}{after}")
            raise self._error

    def _is_of_interest(self, frame: FrameType) -> bool:
        path = frame.f_code.co_filename
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = any(
                path.startswith(one) or one in Path(path).parts for one in self._files)
        return known


def interrupt_everywhere(
    make: Callable[[], T],
    operate: Callable[[T], Any],
    check: Callable[[T, Run], object],
    *,
    error: Callable[[], BaseException] = Abort,
    then: Callable[[T, Run], object] | None = None,
    dispose: Callable[[T], object] | None = None,
    may_become: tuple[type[BaseException], ...] = (),
    files: tuple[str, ...] = FILES,
    deadline: float = 20.0,
    most: int = 5000,
    step: int = 1,
) -> int:
    """Interrupt an operation at each of its places in turn, and check what is left each time.

    The run that ends by itself is checked, too.

    :param make: gives what a run works on; must be new each time.
    :param operate: the operation; in a thread of its own, which lives until the check is over.
    :param check: looks whether all is well, from another thread; raises if not.
    :param error: makes the exception.
    :param then: called in the interrupted thread itself, before the check.
    :param dispose: called after each check, in this thread.
    :param may_become: other exceptions that the operation may raise in the place of the one
        that was raised in it.
    :param files: where to interrupt; see `FILES`.
    :param deadline: seconds for the operation, and for the check, to end.
    :param most: places after which an operation is taken to be one that never ends.
    :param step: 10 tries the first place, the eleventh and so on.
    :return: how many places there were.
    """
    with _one_processor():
        for number in range(1, most + 1, step):
            run = Run(number)
            subject = make()
            _one_run(run, subject, operate, check, error(), then, may_become, files, deadline)
            if dispose is not None:
                dispose(subject)
            if not run.interrupted:
                return run.passed
    raise AssertionError(f"the operation has more than {most} places")


@contextlib.contextmanager
def _one_processor() -> Iterator[None]:
    """Keep this thread, and those that it starts, on one processor: they only take turns.

    To wake one on another processor costs more than most runs.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {random.choice(sorted(before))})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _one_run(run: Run, subject: T, operate: Callable[[T], Any], check: Callable[[T, Run], object],
             error: BaseException, then: Callable[[T, Run], object] | None,
             may_become: tuple[type[BaseException], ...], files: tuple[str, ...],
             deadline: float) -> None:
    checked: SimpleQueue[None] = SimpleQueue()

    def body() -> None:
        # Until the check is over: what this thread is working on, nobody may take for a dead one's.
        try:
            _operate(run, subject, operate, _Interrupter(run, error, files))
            if then is not None:
                then(subject, run)
        finally:
            operated.put(None)
            checked.get()

    operated: SimpleQueue[None] = SimpleQueue()
    hook = sys.unraisablehook

    def hear(told: sys.UnraisableHookArgs) -> None:
        name = _closed_generator(told)
        if (told.exc_value is error and name is not None
                and run.place.startswith("call ") and run.place.endswith(f" in {name}")):
            run.unraisable.append(error)
        else:
            hook(told)

    sys.unraisablehook = hear
    try:
        interrupted = _Body(body, "the operation")
        try:
            interrupted.wait(run, operated, deadline)
            _check_not_swallowed(run, error, may_become)
            checking: SimpleQueue[None] = SimpleQueue()
            checker = _Body(lambda: _and_say(lambda: check(subject, run), checking), "the check")
            checker.wait(run, checking, deadline)
            checker.join(run, deadline)
        finally:
            checked.put(None)
        interrupted.join(run, deadline)
    finally:
        sys.unraisablehook = hook


def _closed_generator(told: sys.UnraisableHookArgs) -> str | None:
    """Return the name of the generator that was being closed (None: it is about another thing)."""
    if inspect.isgenerator(told.object):
        return told.object.__name__
    # From Python 3.14 on it is in the message only.
    found = re.match(r".* closing generator <generator object (?:.*\.)?(\S+) at ",
                     told.err_msg or "")
    return found[1] if found else None


def _operate(run: Run, subject: T, operate: Callable[[T], Any], profile: _Interrupter) -> None:
    try:
        sys.setprofile(profile)
        try:
            run.value = operate(subject)
        finally:
            sys.setprofile(None)
    except BaseException as error:
        run.trace = traceback.format_exc()
        run.raised = error.with_traceback(None)
        if not run.interrupted:
            raise


def _and_say(function: Callable[[], object], done: SimpleQueue[None]) -> None:
    try:
        function()
    finally:
        done.put(None)


def _check_not_swallowed(run: Run, error: BaseException,
                         may_become: tuple[type[BaseException], ...]) -> None:
    if (run.interrupted and run.raised is not error and error not in run.unraisable
            and not isinstance(run.raised, may_become)):
        raise AssertionError(f"{run}: {error!r} was swallowed; the operation gave "
                             f"{run.raised or run.value!r}\n{run.trace}")


class _Body:
    """A thread whose exception, or whose stack if it does not end, is raised where one waits."""

    def __init__(self, body: Callable[[], object], what: str) -> None:
        self._what = what
        self._raised: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(body,), daemon=True, name=what)
        self._thread.start()

    def _run(self, body: Callable[[], object]) -> None:
        try:
            body()
        except BaseException as error:
            self._raised = error

    def wait(self, run: Run, done: SimpleQueue[None], deadline: float) -> None:
        try:
            done.get(timeout=deadline)
        except Empty:
            raise self._stuck(run, deadline) from None

    def join(self, run: Run, deadline: float) -> None:
        self._thread.join(deadline)
        if self._thread.is_alive():
            raise self._stuck(run, deadline)
        if self._raised is not None:
            raise AssertionError(f"{run}: {self._what} raised {self._raised!r}\n"
                                 f"{run.trace}") from self._raised

    def _stuck(self, run: Run, deadline: float) -> AssertionError:
        frame = sys._current_frames().get(self._thread.ident or 0)
        stack = "".join(traceback.format_stack(frame)) if frame else "(no stack)"
        return AssertionError(f"{run}: {self._what} did not end within {deadline} s; it is at\n"
                              f"{stack}\nthe interruption:\n{run.trace}")
