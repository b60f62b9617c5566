"""The S3 server whose objects are on the disk: they are there again when it is started again, however it ended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from timelapse_runtime.emulator.s3_server import EmbeddedS3, disk_command
from timelapse_runtime.runtime.state.contract import MULTIPART_MINIMUM_BYTES, BytesPart, CopyPart, IfAbsent, IfMatch
from timelapse_runtime.runtime.state.errors import ObjectNotFound, PreconditionFailed
from timelapse_runtime.runtime.state.s3 import S3Store, make_client


@contextmanager
def started(folder: Path, photos: dict[str, Path] | None = None) -> Iterator[S3Store]:
    """The server ends by SIGKILL, as EmbeddedS3 ends each."""
    with EmbeddedS3(disk_command(folder, "bucket", photos or {})) as server:
        yield S3Store(make_client(variables=server.variables()), "bucket")


def test_objects_survive_with_their_etags_times_and_types(tmp_path: Path) -> None:
    with started(tmp_path) as store:
        etag = store.put("a", b"first", condition=IfAbsent(), content_type="text/plain", metadata={"frames": "3"})
        store.put("a", b"second", condition=IfMatch(etag), content_type="text/plain", metadata={"frames": "4"})
        store.put("deleted", b"x")
        store.delete(["deleted"])
        long = bytes(MULTIPART_MINIMUM_BYTES)
        store.put("long", long)
        whole = store.head("long")
        store.put_multipart("joined", [CopyPart("long", whole.etag, 0, len(long)), BytesPart(b"end")])
        before, infos = store.get("a"), list(store.list_after(""))
    with started(tmp_path) as store:
        assert store.get("a") == before
        assert before.info.metadata == {"frames": "4"}
        assert list(store.list_after("")) == infos
        assert [info.key for info in infos] == ["a", "joined", "long"]
        assert store.get("joined").body == long + b"end"
        with pytest.raises(PreconditionFailed):
            store.put("a", b"third", condition=IfMatch(etag))
        store.put("a", b"third", condition=IfMatch(before.info.etag))
    assert len(list((tmp_path / "objects").iterdir())) == 3


def test_a_torn_line_of_the_journal_costs_that_change_alone(tmp_path: Path) -> None:
    with started(tmp_path) as store:
        store.put("a", b"first")
        store.put("b", b"never acknowledged")
    journal = tmp_path / "journal"
    journal.write_bytes(journal.read_bytes()[:-20])
    with started(tmp_path) as store:
        assert [info.key for info in store.list_after("")] == ["a"]
        assert store.get("a").body == b"first"


def test_a_photo_is_read_where_it_is(tmp_path: Path) -> None:
    photos = tmp_path / "photos {x}"
    (photos / "day").mkdir(parents=True)
    (photos / "day" / "1.jpg").write_bytes(b"photo")
    with started(tmp_path / "s3", {"frames/": photos}) as store:
        store.put("frames/day/1.jpg", b"photo")
        store.put("frames/day/2.jpg", b"other")  # no such file
        assert store.get("frames/day/1.jpg").body == b"photo"
        assert len(list((tmp_path / "s3" / "objects").iterdir())) == 1
    with started(tmp_path / "s3", {"frames/": photos}) as store:
        assert store.get("frames/day/1.jpg").body == b"photo"
        assert store.get("frames/day/2.jpg").body == b"other"
        os.utime(photos / "day" / "1.jpg", ns=(1, 1))
        with pytest.raises(ObjectNotFound):
            store.get("frames/day/1.jpg")


def test_a_client_cannot_read_files_whose_content_it_does_not_have(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    with started(tmp_path / "s3", {"frames/": tmp_path / "photos"}) as store:
        store.put("frames/../secret", b"public")  # of the same size
        assert store.get("frames/../secret").body == b"public"
