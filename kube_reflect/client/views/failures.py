"""Which failures are a field's own, and how they are said."""

from __future__ import annotations

__all__ = ["Unfit", "a", "reason_of"]


class Unfit(ValueError):
    """A value is not what the model declares.

    :param message: what it should be, and is.
    :param within: where it is, within the field.
    """

    def __init__(self, message: str, within: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.within = within


def a(kind: str) -> str:
    """Return a kind of JSON value with its article."""
    return {"null": "null", "object": "an object"}.get(kind, f"a {kind}")


def reason_of(error: Exception) -> tuple[str, tuple[str | int, ...]]:
    """Return in one line why a value does not fit, and where within the field.

    In the client's own words, which name no values: they may be secret.
    """
    errors = getattr(error, "errors", None)
    if callable(errors):
        first = errors(include_url=False, include_input=False)[0]
        message = str(first["msg"]).removeprefix("Input ").removeprefix("Value error, ")
        return message.split("\n")[0][:200], tuple(first["loc"])
    within = error.within if isinstance(error, Unfit) else ()
    return str(error).split("\n")[0][:200], within
