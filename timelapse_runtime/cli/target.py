"""The stream that a command works on: its folder, its photos, the stores of both, and the function on it alone."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from timelapse_runtime.cli import CommandFailed
from timelapse_runtime.runtime.function import Environment
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.errors import CheckpointCorrupt
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.location import Location, parse_location
from timelapse_runtime.timelapse.stored_checkpoint import read_checkpoint
from timelapse_runtime.timelapse.variables import PREFIX, VARIABLES

_AN_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Target:
    """A stream: where its video and its photos are, and the store of each bucket."""

    video: Location
    frames: Location
    video_store: Store
    frames_store: Store

    @property
    def stream(self) -> str:
        """The stream's name: the last part of its folder."""
        return self.video.prefix.rstrip("/").rpartition("/")[2]


class NoCheckpoint(CommandFailed):
    """There is no checkpoint in the folder `video`, so it is not known where the photos are. `store` is its
    bucket's."""

    def __init__(self, video: Location, store: Store) -> None:
        super().__init__(
            f"there is no checkpoint in {video}: name a stream's folder, "
            "or with --frames s3://BUCKET/PREFIX/ the photos of a stream that has none yet"
        )
        self.video, self.store = video, store


class NoTimeLimit:
    """What the function reads of Lambda's context object: an hour left, whenever it asks."""

    def get_remaining_time_in_millis(self) -> int:
        """See Context."""
        return _AN_HOUR_MS


def open_target(video: Location, frames: Location | None, variables: Mapping[str, str]) -> Target:
    """The stream in the folder `video`. Without `frames`, the checkpoint says where its photos are.

    Credentials, region and endpoint come from `variables`, as for every AWS tool. Raises NoCheckpoint,
    CheckpointCorrupt, StorageError.
    """
    client = make_client(variables=variables)
    store = S3Store(client, video.bucket)
    if frames is None:
        try:
            source = read_checkpoint(store, StreamKeys(video.prefix)).checkpoint.source
        except ObjectNotFound as error:
            raise NoCheckpoint(video, store) from error
        frames = parse_location(source)
    return Target(video, frames, store, S3Store(client, frames.bucket, requester_pays=True))


def run_function(target: Target, event: dict[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """Run the timelapse function in this process, on this stream, and return its response.

    A Lambda environment that has the stream open is fenced: its next commit fails, and it loads the stream again.
    """
    function = Timelapse(stores=lambda _config, _environment: (target.frames_store, target.video_store))
    function.open(Environment(configuration(target, variables), None, uuid.uuid4().hex))
    return function.invoke(event, NoTimeLimit())


def configuration(target: Target, variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of a function that has this stream alone: those of this machine, but other places.

    The order of the photos is the stream's own unless a variable names it: a changed order begins a new reel.
    """
    parent = target.video.prefix.rstrip("/").rpartition("/")[0]
    known = {PREFIX + variable.name for variable in VARIABLES}  # other variables of this machine may share the prefix
    return {
        **_order_of(target),
        **{name: value for name, value in variables.items() if name in known or not name.startswith(PREFIX)},
        f"{PREFIX}FRAMES": str(target.frames),
        f"{PREFIX}VIDEO": f"s3://{target.video.bucket}/{parent}",
        f"{PREFIX}STREAM": target.stream,
    }


def _order_of(target: Target) -> dict[str, str]:
    try:
        checkpoint = read_checkpoint(target.video_store, StreamKeys(target.video.prefix)).checkpoint
    except (ObjectNotFound, CheckpointCorrupt):
        return {}
    return {f"{PREFIX}ORDER": checkpoint.order}
