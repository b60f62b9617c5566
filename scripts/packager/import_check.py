"""Imports a handler as the runtime will: run by the interpreter in the package.

Arguments: the handler, the function's folder, the file for the answer. That is JSON: `problem` if
the package cannot be right, `warning` if its module needs something that is only on Lambda.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from timelapse_runtime.runtime.errors import HandlerError
from timelapse_runtime.runtime.loader import resolve


def look(handler: str, task_root: Path) -> dict[str, str]:
    """What was found; empty if nothing is wrong."""
    try:
        resolve(handler, task_root)
    except HandlerError as error:
        return {"problem": str(error)}
    except BaseException as error:  # noqa: BLE001  a module may raise anything
        return {"warning": f"importing {handler} raised {type(error).__name__}: {error}"}
    return {}


if __name__ == "__main__":
    Path(sys.argv[3]).write_text(json.dumps(look(sys.argv[1], Path(sys.argv[2]))))
    os._exit(0)  # a module may have started threads
