"""What `timelapse check-store` tries, over each store of the suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.conftest import KnownWrong
from timelapse_runtime.cli.check_store import http_client, http_trial
from timelapse_runtime.cli.store_requirements import REQUIREMENTS, Trial
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.memory import MemoryStore

DIFFERENCES = {
    ("memory", "metadata and headers"): "keeps no headers",
    ("moto", "keys that no camera writes"): "has no route for a newline, and answers 404",
    ("moto", "conditions on uploads in parts"): "ignores If-Match on CompleteMultipartUpload",
    ("moto", "copies only of what is unchanged (x-amz-copy-source-if-match)"): "ignores the source's ETag",
    ("moto", "checksums"): "compares no checksum with the body",
    ("radosgw", "write if unchanged (If-Match)"): "compares If-Match with the ETag without quotes",
    ("radosgw", "one winner"): "compares If-Match with the ETag without quotes",
    ("radosgw", "uploads in parts"): "completes an upload with an empty ETag",
    ("radosgw", "copies of ranges"): "cuts the source's key at a question mark",
    ("radosgw", "conditions on uploads in parts"): "ignores conditions on CompleteMultipartUpload",
    ("radosgw", "copies only of what is unchanged (x-amz-copy-source-if-match)"): "ignores the source's ETag",
    ("radosgw", "presigned conditional PUTs"): "compares If-Match with the ETag without quotes",
    ("radosgw", "checksums"): "compares no checksum with the body",
}
"""By server and requirement: what docs/stores.md says."""


@pytest.fixture
def trial(store: Store) -> Iterator[Trial]:
    folder = "a folder/"
    if isinstance(store, MemoryStore):
        yield Trial(store, folder, lambda signed, body: store.accept(signed.url, body), lambda _url: {})
        return
    with http_client({}) as client:
        yield http_trial(store, folder, client)


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_a_requirement_holds(trial: Trial, known_wrong: KnownWrong, name: str) -> None:
    for (server, requirement), why in DIFFERENCES.items():
        if requirement == name:
            known_wrong(server, why)
    REQUIREMENTS[name].check(trial)
    if name == "pages of listings":
        counts = trial.store.request_counts
        assert (counts["ListObjectsV2"], counts["DeleteObjects"]) == (7, 2), "one request for each 1,000 keys"
