"""Runs the `timelapse` command of this checkout: checks the arguments, installs what is missing, and runs it.

`--help` and wrong arguments need the standard library only, so nobody waits for an installation to read that an option
has a typo. Called by scripts/timelapse and scripts/replay, with the Python that they found.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # instead of scripts/
sys.dont_write_bytecode = True  # of another Python, perhaps, than that of the environment

from scripts import install  # noqa: E402
from timelapse_runtime.cli import EXIT_ERROR, EXIT_INTERRUPTED  # noqa: E402
from timelapse_runtime.cli.main import check  # noqa: E402

_LEVEL = "replay"


def main(arguments: list[str]) -> None:
    """Does not return: the command takes the place of this process."""
    if not install.satisfied(_LEVEL):
        exit_code = check(arguments)
        if exit_code:
            sys.exit(exit_code)
        try:
            install.main([_LEVEL])
        except OSError as error:
            say = f"cannot install into {ROOT}: {error.strerror}: {error.filename}; clone into a folder of your own"
            sys.stderr.write(f"timelapse: {say}\n")
            sys.exit(EXIT_ERROR)
        except KeyboardInterrupt:
            sys.stderr.write("timelapse: interrupted; the next start installs again\n")
            sys.exit(EXIT_INTERRUPTED)
    python = str(install.folder_of(_LEVEL) / "bin" / "python")
    os.execv(python, [python, "-m", "timelapse_runtime.cli.main", *arguments])  # noqa: S606  the command itself


if __name__ == "__main__":
    main(sys.argv[1:])
