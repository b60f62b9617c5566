"""Compiles the modules below a folder, as a separate program: `python -S bytecode.py FOLDER SOURCES_KEPT`.

Of its own because what the marshal module writes depends on which strings the process has interned: the same bytes
come out of the same work in the same order in a fresh process. The hash of the source is in the bytecode and never
checked: there is no stat of a source at import, and a modification time means nothing in an archive.

A module's source stays where its path begins with SOURCES_KEPT, so that our own tracebacks show it. Elsewhere the
bytecode takes the source's place; tracebacks then have file, line and function.
"""

from __future__ import annotations

import py_compile
import sys
from pathlib import Path


def compile_below(folder: Path, sources_kept: str) -> None:
    """Compile; a file that can't be compiled raises py_compile.PyCompileError."""
    for source in sorted(folder.rglob("*.py")):
        name = source.relative_to(folder).as_posix()
        kept = name.startswith(sources_kept)
        py_compile.compile(
            str(source),
            cfile=None if kept else f"{source}c",
            dfile=name,  # no path of this machine
            doraise=True,
            optimize=0,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        if not kept:
            source.unlink()


if __name__ == "__main__":
    compile_below(Path(sys.argv[1]), sys.argv[2])
