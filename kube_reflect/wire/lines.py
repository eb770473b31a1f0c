"""The lines of a WATCH, as they come, and how long to wait for them."""

from __future__ import annotations

import time
from collections.abc import Iterator

from kube_reflect.client import RequestError, Response

__all__ = ["Segments"]

#: A watch that the server ends sooner than this was not served, in seconds.
_EARLY = 5.0
#: A streaming list that shows no further object for this long is not going to end, in seconds.
_LIST_SILENCE = 30.0
#: Lines closer together than this are a burst, in which time counts more than memory; seconds.
_HURRY = 0.002
_PLACEHOLDER = b".\n"


class Segments:
    """The response of a WATCH, as the official Watch reads one, a line at a time.

    Given many lines in one segment it copies all the rest for each; given a body that is not
    chunked it waits for its end; and it decodes what is decoded once more by the parser. So it
    gets a placeholder for each line, as soon as that is there, and `line` is the line, with its
    newline or without.

    :param seconds: after which the server was asked to end the watch.
    :param idle_timeout: of the config, in seconds.
    :param initial: it begins with a streaming list.
    """

    line: bytes = b""
    #: Whether the line came hard upon the last.
    hurried = False

    def __init__(self, response: Response, *, seconds: int, idle_timeout: float,
                 initial: bool) -> None:
        self._response = response
        self.started = time.monotonic()
        self._seconds = seconds
        self._idle_timeout = idle_timeout
        #: When the last whole line came, or else the headers.
        self.last_line = self.started
        self._list_silence = min(_LIST_SILENCE, self._idle_timeout)
        self._list_deadline: float | None = None
        if initial:
            self.extend_list()
            self._response.set_read_timeout(self._list_silence)

    def stream(self, amt: int | None = None, decode_content: bool = False) -> Iterator[bytes]:
        """Yield the lines, each with its newline. (The arguments are the official Watch's.)"""
        parts: list[bytes] = []
        begun = 0.0
        for chunk in self._response.chunks():
            now = time.monotonic()
            if self._list_deadline is not None and now > self._list_deadline:
                raise RequestError("the streaming list does not end", started=True)
            if 0 <= chunk.find(b"\n") == len(chunk) - 1:
                # A line, or the end of one, as the API server sends them: it need not be copied.
                lines, rest = [chunk], b""
            else:
                *lines, rest = chunk.split(b"\n")
            if lines:
                self.hurried = now - self.last_line < _HURRY
                self.last_line = now
                if parts:
                    lines[0] = b"".join((*parts, lines[0]))
                    parts.clear()
                for self.line in lines:
                    yield _PLACEHOLDER
            elif parts and now - begun > self._idle_timeout:
                # A byte now and then keeps the socket from timing out.
                raise RequestError("a line does not end", started=True)
            if rest:
                begun = begun if parts else now
                parts.append(rest)
        if parts:
            # Cut within a line, or the last line lacks its newline: parsing tells.
            self.line = b"".join(parts)
            yield _PLACEHOLDER

    def check_end(self) -> None:
        """Take a clean end of the stream for what it is.

        :raises RequestError: it came too early.
        """
        elapsed = time.monotonic() - self.started
        if elapsed < min(_EARLY, self._seconds / 2):
            raise RequestError(f"the server ended the watch after {elapsed:.1f} s", started=True)

    def extend_list(self) -> None:
        """The streaming list goes on: it has its time again."""
        self._list_deadline = time.monotonic() + self._list_silence

    def expect_silence(self) -> None:
        """The streaming list is complete: from now on only the idle deadline counts."""
        self._list_deadline = None
        self._response.set_read_timeout(self._idle_timeout)

    def close(self) -> None:
        self._response.close()

    def release_conn(self) -> None:
        """Do nothing, when the official Watch asks: `close` does it."""
