"""An exception's stack as its reader wants it: from the function's first frame on.

What calls the function comes first in every stack: this runtime, in init Python's import system, and for async
functions the event loop. Those leading frames are cut off, of each cause and each member of a group, too. An error
that comes from there keeps the runtime's frames.
"""

from __future__ import annotations

import traceback
from itertools import dropwhile

STACK_LIMIT_FRAMES = 50
"""The innermost frames of a stack are kept: enough to see a recursion."""


def stack_of(error: BaseException) -> traceback.TracebackException:
    """The stacks of `error` and of its causes, without what leads to the function."""
    whole = traceback.TracebackException(type(error), error, error.__traceback__, limit=-STACK_LIMIT_FRAMES)
    left = [whole]
    while left:
        one = left.pop()
        one.stack[:] = _from_the_function_on(one.stack)
        left += [other for other in (one.__cause__, one.__context__, *(one.exceptions or ())) if other is not None]
    return whole


def _from_the_function_on(frames: list[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    rest = list(dropwhile(lambda one: one.filename.startswith(_RUNTIME + _PYTHON), frames))
    return rest or [one for one in frames if one.filename.startswith(_RUNTIME)] or list(frames)


# Not __file__: a module that was compiled elsewhere has other names in its frames.
_PACKAGE = stack_of.__code__.co_filename.rpartition("/runtime/protocol/")[0]
_RUNTIME = (f"{_PACKAGE}/runtime/", f"{_PACKAGE}/__main__.py")
_LIBRARY = traceback.TracebackException.format.__code__.co_filename.rpartition("/")[0]
_PYTHON = ("<frozen importlib", f"{_LIBRARY}/importlib/", f"{_LIBRARY}/asyncio/")
