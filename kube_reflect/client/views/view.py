"""Views: models that are decoded level by level, when they are read."""

from __future__ import annotations

import copy
from abc import ABCMeta
from collections.abc import Callable
from typing import Any

from kube_reflect.client.views import generated, pydantic_models
from kube_reflect.client.views.documents import JsonSource, Path, level_of, opened
from kube_reflect.client.views.reading import Maker, as_it_is, read, refusal
from kube_reflect.client.views.shapes import Shape
from kube_reflect.errors import FieldError
from kube_reflect.ground.foreign import fails_again

__all__ = ["view_maker"]

_new = object.__new__
_set = object.__setattr__

_views: dict[type, _Views] = {}


def view_maker(model: type) -> Callable[[JsonSource], Any]:
    """Return what makes views of one of the client's models.

    A view is an instance of the model, made in less than a microsecond. Its JSON is not opened
    before an attribute is read; then the level that the attribute is in is cut, and the value is
    kept, so that a second read costs what an attribute costs. What is nested in it are views
    too. Any number of threads may read one: all get the same values. `vars`, `to_dict`, `==`,
    `repr`, copies and pickles read the whole, at once; copies and pickles are plain models.

    A view never refuses an object. A field that is not what the model declares is a `FieldError`
    when that field is read; where the whole is read it is as it is in JSON, as from a client
    without validation.

    :raises TypeError: for what is no model of the client.
    """
    if not all(hasattr(model, name) for name in ("openapi_types", "attribute_map")):
        raise TypeError(f"no model of the official client: {model!r}")
    return _views_of(model).make


def _views_of(model: type) -> _Views:
    found = _views.get(model)
    if found is None:
        family = pydantic_models if pydantic_models.is_pydantic(model) else generated
        # Of two threads that make one, both take the first.
        found = _views.setdefault(model, _Views(family.shape_of(model)))
    return found


class _Views:
    """How the views of one model work.

    What a view has read is in its ``__dict__``; two slots say where the rest is. The ``__dict__``
    that others see, pydantic's serializer and `vars` among them, is a property that fills it.
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._fields = shape.fields
        model: Any = shape.model
        self._dict = next(base.__dict__["__dict__"] for base in model.__mro__
                          if "__dict__" in base.__dict__)
        self._children: dict[str, Maker] = {}
        kind = type(model)
        # A metaclass that collects fields has nothing to collect here.
        new: Any = ABCMeta.__new__ if issubclass(kind, ABCMeta) else kind.__new__
        of = new(kind, model.__name__, (model,), _members(self, shape))
        self._source, path_slot = of.__dict__["_view_source"], of.__dict__["_view_path"]
        self._values_of, self._path_of = self._dict.__get__, path_slot.__get__
        self._get_source, set_source = self._source.__get__, self._source.__set__
        set_path = path_slot.__set__

        def make(source: JsonSource, path: Path = ()) -> Any:
            made = _new(of)
            set_source(made, source)
            set_path(made, path)
            return made

        self.make: Maker = make

    def missing(self, view: Any, name: str) -> Any:
        """Return what is not in a view's ``__dict__`` yet, and put it there.

        :raises AttributeError: if its model has no such attribute.
        :raises FieldError: if it is not what the model declares.
        """
        field = self._fields.get(name)
        if field is None:
            return self._extra(view, name)
        values = self._values_of(view)
        try:
            source = self._get_source(view)
        except AttributeError:
            source = None
        if source is None:
            # All is there, and perhaps since a moment ago only.
            return values[name] if name in values else self._unknown(view, name)
        child = None if field.child is None else self._children.get(name) or (
            self._children.setdefault(name, _views_of(field.child).make))
        path = self._path_of(view)
        try:
            value = read(field, child, source, path)
        except Exception as error:
            raise refusal(error, field, child, source, path) from error
        # One step: whoever is first, all get the same object.
        return values.setdefault(name, value)

    def _source_of(self, view: Any) -> JsonSource | None:
        try:
            return self._get_source(view)  # type: ignore[no-any-return]
        except AttributeError:
            # Made by a call of its class, as any model is.
            return None

    def _extra(self, view: Any, name: str) -> Any:
        make = self._shape.extras.get(name)
        if make is None:
            return self._unknown(view, name)
        if name not in self._shape.slots:
            return self._values_of(view).setdefault(name, make())
        value = make()
        _set(view, name, value)
        return value

    def _unknown(self, view: Any, name: str) -> Any:
        unknown = getattr(self._shape.model, "__getattr__", None)
        if unknown is not None:
            return unknown(view, name)
        raise AttributeError(f"{type(view).__name__!r} object has no attribute {name!r}")

    def fill(self, view: Any) -> bool:
        """Read what was not read yet, whole; tell whether all could be.

        What was read stays the same object, and what is read now are plain models. It may be
        interrupted at any moment, and begun anew.
        """
        source = self._source_of(view)
        if source is None:
            return True
        values = self._values_of(view)
        if not self._fill(view, values, source):
            return False
        names = [name for name in self._shape.names if name in values]
        if names != list(values):
            # In the model's order, as serializers show it. All is in both by now, so that who
            # still puts something into the old one gets what is in the new one.
            ordered = {name: values[name] for name in names}
            self._dict.__set__(view, {**ordered, **values})
        self._source.__set__(view, None)
        return True

    def _fill(self, view: Any, values: dict[str, Any], source: JsonSource) -> bool:
        path = self._path_of(view)
        try:
            eager = self._eager(values, source, path)
        except Exception as error:
            fails_again(error, self._eager, values, source, path)
        else:
            for name, value in vars(eager).items():
                values.setdefault(name, value)
            return True
        refused = 0
        for name in self._shape.names:
            try:
                getattr(view, name)
            except FieldError:
                refused += 1
        return not refused

    def _eager(self, values: dict[str, Any], source: JsonSource, path: Path) -> Any:
        read = {field.key: value for name, field in self._shape.fields.items()
                if field.child is not None and (value := values.get(name)) is not None}
        if not read:
            return self._shape.eager(opened(source).parsed(path))
        # The client takes models among what is parsed as they are.
        way, level = level_of(source, path)
        return self._shape.eager({key: read[key] if key in read else way.take(node)
                                  for key, node in level.items()})

    def whole_dict(self, view: Any) -> dict[str, Any]:
        """Return a view's ``__dict__``, filled; refused fields are as in JSON, in a copy.

        :raises FieldError: if something cannot be parsed.
        """
        source = self._source_of(view)
        values: dict[str, Any] = self._values_of(view)
        if self.fill(view) or source is None:
            return self._values_of(view)  # type: ignore[no-any-return]
        path, fields = self._path_of(view), self._shape.fields
        return {name: values[name] if name in values else as_it_is(fields[name], source, path)
                for name in self._shape.names}

    def set_dict(self, view: Any, values: dict[str, Any]) -> None:
        """Replace a view's ``__dict__``, as pydantic does when an attribute is set."""
        self._dict.__set__(view, values)
        self._source.__set__(view, None)

    def plain(self, view: Any) -> Any:
        """Return a plain model of the same values."""
        plain = self._shape.blank(dict(self.whole_dict(view)))
        for name in self._shape.slots:
            _set(plain, name, copy.copy(getattr(view, name)))
        return plain

    def whole(self, view: Any) -> Any:
        """Return what a method that reads everything is best called on."""
        return view if self.fill(view) else self.plain(view)


class _Whole:
    """A method of the model that reads everything: first, read everything at once.

    For who looks at the class it is the model's own, which the client insists on.
    """

    def __init__(self, views: _Views, original: Any) -> None:
        self._views = views
        self._original = original

    def __get__(self, view: Any, owner: Any = None) -> Any:
        target = None if view is None else self._views.whole(view)
        bind = getattr(type(self._original), "__get__", None)
        return self._original if bind is None else bind(self._original, target, owner)


def _members(views: _Views, shape: Shape) -> dict[str, Any]:
    """Return what the class of a model's views has that the model has not."""
    model: Any = shape.model

    def __getattr__(view: Any, name: str) -> Any:
        return views.missing(view, name)

    def __delattr__(view: Any, name: str) -> None:
        views.fill(view)
        model.__delattr__(view, name)

    def __copy__(view: Any) -> Any:
        return copy.copy(views.plain(view))

    def __deepcopy__(view: Any, memo: dict[int, Any] | None = None) -> Any:
        return copy.deepcopy(views.plain(view), memo)

    def __reduce_ex__(view: Any, protocol: Any) -> Any:
        # The oldest protocol's way, the only one that lets an object be restored as another class.
        return views.plain(view).__reduce_ex__(1)

    functions = (__getattr__, __delattr__, __copy__, __deepcopy__, __reduce_ex__)
    whole = {name: _Whole(views, vars(next(
        base for base in model.__mro__ if name in vars(base)))[name]) for name in shape.whole}
    return {
        "__module__": model.__module__, "__qualname__": model.__qualname__,
        "__doc__": model.__doc__, "__slots__": ("_view_source", "_view_path"),
        "__dict__": property(views.whole_dict, views.set_dict),
        **{function.__name__: function for function in functions}, **whole,
    }
