"""Every fault at every request of the examples that write to S3: `python -m tests.examples`."""

from __future__ import annotations

import logging
import sys

from tests.examples import test_ledger, test_similarity
from tests.examples.function_run import failures, points

logging.disable(logging.CRITICAL)
found = count = 0
for module in (test_ledger, test_similarity):
    for options in module.OPTIONS:
        count += len(points(module.lived, options))
        for failure in failures(module.lived, options):
            found += 1
            print(f"{module.__name__} {options}: {failure}")
print(f"{count} points, {found} failed")
sys.exit(found > 0)
