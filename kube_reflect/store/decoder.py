"""From an entry to the K that readers get, and what of it they share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from kube_reflect.errors import FieldError, KubeReflectError
from kube_reflect.ground.describe import reason_of
from kube_reflect.ground.foreign import fails_again
from kube_reflect.ground.locks import new_lock
from kube_reflect.ground.objects import Object
from kube_reflect.store.entry import Entry
from kube_reflect.store.user_code import BadObjects, FunctionFailed, attempt

__all__ = ["Decoder"]

#: How many refused entries are remembered; when there are more, all are forgotten.
_REFUSED = 1000
_LEFT_OUT = "left out of what was asked for"


class Decoder:
    """Makes a K of an entry when it is first read, which all readers share from then on.

    It keeps at most `limit` of them, those that were made last; what is let go of is made anew when
    somebody reads it. An entry that has changed is another entry.

    :param model: makes a K of a mapping; None leaves it a mapping.
    :param view: makes a K of an entry, at once; in the place of a model.
    :param sharing: False gives each read a K of its own.
    :param limit: objects that stay decoded.
    :param name: the name of an entry's object, for the log.
    """

    def __init__(self, model: Callable[[dict[str, Any]], Any] | None,
                 view: Callable[[Any], Any] | None, *, sharing: bool, limit: int,
                 bad_objects: BadObjects, name: Callable[[Entry], str]) -> None:
        self._model = model
        self._view = view
        self._sharing = sharing
        self._limit = limit
        self._bad_objects = bad_objects
        self._name = name
        # Guards `decoded` of all entries, and which of them have one, in the order they got it.
        self.lock = new_lock()
        self._decoded: OrderedDict[Entry, None] = OrderedDict()
        #: Those that the model refused and that were counted; dicts as ordered sets.
        self._refused: dict[Entry, None] = {}

    def __len__(self) -> int:
        return len(self._decoded)

    def keeps(self, count: int) -> bool:
        """Return whether so many objects may stay decoded."""
        return self._sharing and count <= self._limit

    def read(self, entry: Entry) -> Any:
        """Return the object; None for one that cannot be parsed. From any thread.

        No lock is held while it is made. What a model refuses comes out as a mapping, to this
        reader only.
        """
        value = entry.decoded
        if value is not None:
            return value
        # (The view's own case here, for it saves a call of those that `state` makes by thousands.)
        value, is_sound = ((self._view(entry), True) if self._view is not None
                           else self.make(entry))
        if not self._sharing or not is_sound:
            return value
        gone: list[Any] = []
        with self.lock:
            if entry.decoded is not None:
                # Another reader was quicker.
                return entry.decoded
            self._decoded[entry] = None
            entry.decoded = value
            while len(self._decoded) > self._limit:
                oldest = next(iter(self._decoded))
                # To forget the last reference may call a `__del__`: not under the lock.
                gone.append(oldest.decoded)
                oldest.decoded = None
                del self._decoded[oldest]
        return value

    def forget(self, entry: Entry | None) -> None:
        """Stop counting an entry that was replaced; whoever still has it may go on reading it."""
        if entry is not None and (entry.decoded is not None or entry in self._refused):
            with self.lock:
                self._decoded.pop(entry, None)
                self._refused.pop(entry, None)

    def pass_on(self, old: Entry, new: Entry) -> None:
        """Move what is decoded from an entry to the one that is to replace it."""
        with self.lock:
            if old in self._decoded and new.decoded is None:
                del self._decoded[old]
                self._decoded[new] = None
                new.decoded = old.decoded

    def holds(self, function: Callable[[Any], object], value: Any) -> bool:
        """Return whether a user's function is true of an object; without a lock.

        One that cannot be read as a K is that object's fault, not the function's: it is false of
        it, which is counted and logged. So it is with a field that is not what the model declares,
        and with a mapping that stands for what the model refused. What else it raises comes out.
        """
        try:
            return bool(function(value))
        except FieldError as error:
            self._bad_objects.record("an object", str(error), _LEFT_OUT)
            return False
        except KubeReflectError:
            raise
        except Exception as error:
            refused = self._refused_as(value)
            if refused is None:
                raise
            fails_again(error, function, value)
            what = f"a function failed of what the model refused ({type(error).__name__}"
            self._bad_objects.record(self._name(refused), f"{what}: {error})", _LEFT_OUT, what)
            return False

    def _refused_as(self, value: Any) -> Entry | None:
        """Return the refused entry that a mapping was handed out for, if it was of late."""
        if not isinstance(value, dict):
            return None
        known = Object.of(value)
        key = known.namespace, known.name
        return next((entry for entry in list(self._refused) if entry.key == key), None)

    def make(self, entry: Entry) -> tuple[Any, bool]:
        """Return a new K and True; or False, and a mapping in its place, or None."""
        if self._view is not None:
            return self._view(entry), True
        mapping = self.mapping(entry)
        if self._model is None or mapping is None:
            return mapping, mapping is not None
        parsed: list[Any] = [mapping]
        try:
            value = attempt(self._model, lambda: parsed.pop() if parsed else self.mapping(entry))
        except FunctionFailed as error:
            refusal = error.__cause__ or error
            why = f"the model refused it ({reason_of(refusal, self.mapping(entry))})"
            cause = f"the model refused it ({type(refusal).__name__})"
        else:
            if value is not None:
                return value, True
            why = cause = "the model made nothing of it"
        self._record_once(entry, why, "handed out as a mapping", cause)
        return self.mapping(entry), False

    def _record_once(self, entry: Entry, why: str, consequence: str, cause: str) -> None:
        """Count an entry once, however often it is read."""
        with self.lock:
            is_news = entry not in self._refused
            if is_news and len(self._refused) >= _REFUSED:
                self._refused.clear()
            self._refused[entry] = None
        if is_news:
            self._bad_objects.record(self._name(entry), why, consequence, cause)

    def mapping(self, entry: Entry) -> dict[str, Any] | None:
        """Return the object as on the wire, parsed anew; None where that cannot be done."""
        try:
            return entry.mapping()  # type: ignore[no-any-return]
        except (ValueError, RecursionError) as error:
            fails_again(error, entry.mapping)
            self._record_once(entry, f"it cannot be parsed ({type(error).__name__}: {error})",
                              "left out", "it cannot be parsed")
            return None
