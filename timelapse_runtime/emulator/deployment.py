"""What a deployment starts, as files: the bootstrap, the external extensions and the function's handler."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

HANDLER = "timelapse_runtime.timelapse.Timelapse"
"""The timelapse function, as `_HANDLER` names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A function as it is deployed.

    `task_root` is LAMBDA_TASK_ROOT, the working directory of the bootstrap. Every executable file in `extensions` is an
    external extension; None if there are none. `handler` is `_HANDLER`.
    """

    bootstrap: Path
    extensions: Path | None
    task_root: Path
    handler: str

    def extension_files(self) -> tuple[Path, ...]:
        """The executables in `extensions`, by name, as absolute paths."""
        if self.extensions is None:
            return ()
        files = (path for path in sorted(self.extensions.absolute().iterdir()) if path.is_file())
        return tuple(path for path in files if os.access(path, os.X_OK))


_PACKAGE = Path(__file__).resolve().parents[1]

INSTALLED = Deployment(
    bootstrap=_PACKAGE / "bootstrap",
    extensions=_PACKAGE / "extensions",
    task_root=_PACKAGE.parent,
    handler=HANDLER,
)
"""The timelapse function of this installation, a checkout or an installed package.

In a checkout, `bootstrap` and `extensions/` in the package are links to the files that `scripts/package` deploys; a
wheel has them as files of the package.
"""
