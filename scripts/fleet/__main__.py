"""`python -m scripts.fleet COMMAND`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from timelapse_runtime.fleet.camera import DIRECT, FIFO

MEASURED = Path(__file__).parents[2] / "timelapse_runtime" / "fleet" / "measured.json"


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.fleet")
    parser.add_argument("command", choices=("calibrate", "validate", "plots"))
    parser.add_argument("--out", type=Path, default=MEASURED, help="where calibrate writes")
    parser.add_argument(
        "--routing",
        nargs="+",
        choices=(DIRECT, FIFO),
        default=[DIRECT, FIFO],
        help="what validate runs (default: both)",
    )
    options = parser.parse_args()
    if options.command == "calibrate":
        from scripts.fleet.calibrate import calibrate  # noqa: PLC0415

        options.out.write_text(json.dumps(calibrate(), indent=1) + "\n")
    elif options.command == "validate":
        return _validate(options.routing)
    else:
        from scripts.fleet.plots import draw  # noqa: PLC0415  needs matplotlib: .venv-bench

        print(*draw(), sep="\n")
    return 0


def _validate(routings: list[str]) -> int:
    """Print the tables; 1 if a figure is further off than it may be."""
    from scripts.fleet.validate import CAMERAS, WITHIN, validate  # noqa: PLC0415

    is_within = True
    for row in validate(routings):
        what = f"{row['routing']}, a photo every {row['interval_seconds']:g} s"
        print(f"\n{CAMERAS} cameras, {what}: {row['photos']} photos, {row['failures']} failed invocations")
        print(f"invocations took {row['slowness']:.1f} times as long as on an idle machine")
        print(f"{'':<24} {'observed':>10} {'simulated':>10} {'ratio':>7}")
        for name, figure in row["figures"].items():
            print(f"{name:<24} {figure['observed']:>10.3f} {figure['simulated']:>10.3f} {figure['ratio']:>7.2f}")
            is_within &= abs(figure["ratio"] - 1) <= WITHIN
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.exit(main())
