"""Runs one runtime for each of several values of `_HANDLER`: in a fork each, so that its imports are paid for once.

`python forked.py RUNTIME API NAME...`. Before each name, the service is told which comes. Not a test.
"""

import importlib
import os
import sys
import urllib.request
from pathlib import Path

AWS = "awslambdaric"


def main(runtime: str, authority: str, names: list[str]) -> None:
    program = importlib.import_module("awslambdaric.__main__" if runtime == AWS else "timelapse_runtime.__main__")
    if runtime == AWS:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m awslambdaric` has it
    for at, name in enumerate(names):
        urllib.request.urlopen(f"http://{authority}/begin/{at}", timeout=30).close()
        child = os.fork()
        if child == 0:
            code = 70
            try:
                os.environ["_HANDLER"] = name
                code = program.main([AWS, name]) if runtime == AWS else program.main()
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else 1
            finally:
                os._exit(code or 0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
