"""Which of a reel's stored objects belong to the edition that is shown, and which to others.

Editions are numbered, and an edition is begun before any of its objects is stored. So the objects of one with a lower
number than the last one that was begun are of no use to anybody once it is not shown: whoever was making it can no
longer show it, however old what is known here of the reel. The edition that was begun last may be in the making.
"""

from __future__ import annotations

from collections.abc import Iterable

from timelapse_runtime.runtime.state.contract import ObjectInfo
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.keys import StreamKeys, edition_in, edition_number
from timelapse_runtime.timelapse.model.segment_versions import REPLACED_KEPT_SECONDS


class StoredEditions:
    """The objects `stored` in the folder of `reel`."""

    def __init__(self, keys: StreamKeys, reel: Reel, stored: Iterable[ObjectInfo]) -> None:
        self._reel, self._folder = reel, keys.reel(reel.name)
        self._fixed = {keys.manifest(reel.name), keys.index(reel.name), keys.ranges(reel.name)}
        self.shown: list[ObjectInfo] = []
        """The objects of the edition that is shown, and those that tell which one it is."""
        self._others: list[ObjectInfo] = []
        for info in stored:
            is_shown = info.key in self._fixed or self._edition(info) == reel.edition
            (self.shown if is_shown else self._others).append(info)

    def dead(self) -> list[str]:
        """The keys of objects of editions that can never be shown any more. Players may still ask for those that were
        shown until lately."""
        last = edition_number(self._reel.last_edition)
        return [info.key for info in self._others if edition_number(self._edition(info)) < last]

    def replaced(self, now_epoch_ms: int) -> list[str]:
        """Of these, the keys of those that no player asks for any more: the last object of the edition that is shown
        was stored more than REPLACED_KEPT_SECONDS ago."""
        newest = max((info.last_modified_epoch_ms for info in self.shown), default=now_epoch_ms)
        return self.dead() if newest <= now_epoch_ms - REPLACED_KEPT_SECONDS * 1000 else []

    def _edition(self, info: ObjectInfo) -> str:
        return edition_in(info.key.removeprefix(self._folder))
