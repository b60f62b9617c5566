"""Compiles the modules below a folder, as a separate program: `python -S bytecode.py FOLDER SOURCES_REPLACED`.

Of its own because what the marshal module writes depends on which strings the process has interned: the same bytes
come out of the same work in the same order in a fresh process. The hash of the source is in the bytecode and never
checked: there is no stat of a source at import, and a modification time means nothing in an archive.

Below SOURCES_REPLACED, the bytecode takes a source's place; tracebacks then have file, line and function. Elsewhere the
source stays beside it, so that tracebacks show our own lines and those of a function of one's own. A source there that
cannot be compiled stays as it is: packages have such templates.
"""

from __future__ import annotations

import py_compile
import sys
from pathlib import Path


def compile_below(folder: Path, sources_replaced: str) -> None:
    """Compile; a file below `sources_replaced` that cannot be compiled raises py_compile.PyCompileError."""
    for source in sorted(folder.rglob("*.py")):
        name = source.relative_to(folder).as_posix()
        is_replaced = name.startswith(sources_replaced)
        try:
            py_compile.compile(
                str(source),
                cfile=f"{source}c" if is_replaced else None,
                dfile=name,  # no path of this machine
                doraise=True,
                optimize=0,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except (py_compile.PyCompileError, ValueError):  # ValueError: null bytes
            if is_replaced:
                raise
        if is_replaced:
            source.unlink()


if __name__ == "__main__":
    compile_below(Path(sys.argv[1]), sys.argv[2])
