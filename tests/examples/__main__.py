"""Every fault at every request of the examples that write to S3: `python -m tests.examples`."""

from __future__ import annotations

import logging
import sys

from tests.examples import test_ledger
from tests.examples.function_run import failures

logging.disable(logging.CRITICAL)
found = 0
for options in test_ledger.OPTIONS:
    for failure in failures(test_ledger.lived, options):
        found += 1
        print(f"sqlite {options}: {failure}")
print(f"{found} points failed")
sys.exit(found > 0)
