"""botocore's table of endpoints, cut to what S3 needs: it is read whole at each cold start (10 ms for all services)."""

from __future__ import annotations

import json
from pathlib import Path

_SERVICES = {"s3"}


def cut_endpoints(packages: Path) -> None:
    """Rewrite `botocore/data/endpoints.json` in the folder of packages."""
    path = packages / "botocore" / "data" / "endpoints.json"
    table = json.loads(path.read_text())
    for partition in table["partitions"]:
        partition["services"] = {name: found for name, found in partition["services"].items() if name in _SERVICES}
    path.write_text(json.dumps(table, separators=(",", ":")))
