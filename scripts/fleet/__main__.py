"""`python -m scripts.fleet COMMAND`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

MEASURED = Path(__file__).parents[2] / "timelapse_runtime" / "fleet" / "measured.json"


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.fleet")
    parser.add_argument("command", choices=("calibrate", "validate", "plots"))
    parser.add_argument("--out", type=Path, default=MEASURED, help="where calibrate writes")
    options = parser.parse_args()
    if options.command == "calibrate":
        from scripts.fleet.calibrate import calibrate  # noqa: PLC0415

        options.out.write_text(json.dumps(calibrate(), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
