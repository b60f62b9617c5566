"""What a deployment starts, as files of this installation: the same in a checkout and in an installed package.

In a checkout, `bootstrap` and `extensions/` in the package are links to the files that `scripts/package` deploys. A
wheel has them as files of the package.
"""

from __future__ import annotations

from pathlib import Path

HANDLER = "timelapse_runtime.timelapse.Timelapse"
"""The timelapse function, as `_HANDLER` names it."""

_PACKAGE = Path(__file__).resolve().parents[1]
TASK_ROOT = _PACKAGE.parent
"""The folder that holds `timelapse_runtime/`: what LAMBDA_TASK_ROOT is on Lambda."""
BOOTSTRAP = _PACKAGE / "bootstrap"
EXTENSIONS = _PACKAGE / "extensions"
"""The folder of the external extension."""
