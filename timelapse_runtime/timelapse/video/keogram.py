"""A keogram: for each frame a column, the middle one of its picture, from left to right. It shows how a day went.

Its width is bounded: where it would reach MAXIMUM_COLUMNS, each two neighbours become one, their mean, and from then on
a column is the mean of twice as many frames. Its height is bounded as well: a row is the mean of as many rows of the
video as MAXIMUM_ROWS asks for.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy

from timelapse_runtime.timelapse.video.day_picture import MAXIMUM_WAITING, UnreadableDayPicture, frames_in
from timelapse_runtime.timelapse.video.day_picture_file import read_png, write_png
from timelapse_runtime.timelapse.video.fit import Picture
from timelapse_runtime.timelapse.video.planes import planes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from timelapse_runtime.timelapse.model.video_size import Size

    Column = NDArray[numpy.uint8]
    """Of shape (rows, 3): red, green and blue, full range."""

MAXIMUM_COLUMNS = 2048
"""As wide as a screen. With 4,096, a day's keogram of noise is 5 MB, which is sent again and again."""
MAXIMUM_ROWS = 720


def middle_column(picture: Picture, rows_per_row: int = 1) -> Column:
    """That of a `yuv420p` picture (limited range, BT.601). Each row is the mean of `rows_per_row` of the picture's."""
    planes = planes_of(picture)
    # Each chroma sample is for two rows, and the column has no neighbour to share it with.
    full = [planes.y[:, picture.width // 2]]
    full += [plane[:, plane.shape[1] // 2].repeat(2)[: picture.height] for plane in (planes.u, planes.v)]
    rows = picture.height // rows_per_row
    means = [plane[: rows * rows_per_row].reshape(rows, rows_per_row).mean(1, numpy.float32) for plane in full]
    y, u, v = (means[0] - 16) * (255 / 219), means[1] - 128, means[2] - 128
    # ITU-T BT.601, 2.5.1 to 2.5.4: 1.402, 1.772 and what follows from them for green, of 224 steps of chroma.
    red, green, blue = y + 1.596027 * v, y - 0.391762 * u - 0.812968 * v, y + 2.017232 * u
    return numpy.stack([red, green, blue], 1).round().clip(0, 255).astype(numpy.uint8)


class Keogram:
    """See DayPictureKind. A sample is the columns of its frames, of shape (count, rows, 3)."""

    maximum_waiting = MAXIMUM_WAITING

    def __init__(self, size: Size) -> None:
        self._rows_per_row = -(-size[1] // MAXIMUM_ROWS)
        self._rows = size[1] // self._rows_per_row

    def sample(self, picture: Picture, number: int) -> NDArray[numpy.uint8]:
        """See DayPictureKind."""
        del number
        return middle_column(picture, self._rows_per_row)[None]

    def joined(self, first: NDArray[numpy.uint8], second: NDArray[numpy.uint8]) -> NDArray[numpy.uint8]:
        """See DayPictureKind."""
        return numpy.concatenate([first, second])

    def canvas(self, stored: bytes | None = None) -> KeogramCanvas:
        """See DayPictureKind."""
        canvas = KeogramCanvas(self._rows)
        if stored is not None:
            canvas.read(stored)
        return canvas


class KeogramCanvas:
    """See DayCanvas. The last column may lack frames: their sum, which its mean does not tell, is in the PNG's text."""

    def __init__(self, rows: int) -> None:
        self.frame_count = 0
        self._frames_per_column = 1
        self._columns = numpy.zeros((MAXIMUM_COLUMNS, rows, 3), numpy.uint8)
        self._column_count = 0
        self._sum = numpy.zeros((rows, 3), numpy.uint32)

    def add(self, sample: NDArray[numpy.uint8], count: int) -> None:
        """See DayCanvas."""
        assert len(sample) == count
        for column in sample:
            self._sum += column
            self.frame_count += 1
            if self.frame_count % self._frames_per_column == 0:
                self._append(self._mean(self._frames_per_column))
                self._sum[:] = 0

    def _append(self, column: Column) -> None:
        self._columns[self._column_count] = column
        self._column_count += 1
        if self._column_count == MAXIMUM_COLUMNS:
            pairs = self._columns.reshape(MAXIMUM_COLUMNS // 2, 2, *self._columns.shape[1:])
            self._column_count //= 2
            self._columns[: self._column_count] = (pairs.sum(1, numpy.uint16) + 1) // 2
            self._frames_per_column *= 2

    def _mean(self, count: int) -> Column:
        return ((self._sum + count // 2) // count).astype(numpy.uint8)

    def to_bytes(self) -> bytes:
        """See DayCanvas."""
        columns, open_count = self._columns[: self._column_count], self.frame_count % self._frames_per_column
        if open_count:
            columns = numpy.concatenate([columns, self._mean(open_count)[None]])
        state = {"frames": self.frame_count, "frames_per_column": self._frames_per_column}
        sums = base64.b64encode(self._sum.astype("<u4").tobytes()).decode() if open_count else ""
        return write_png(numpy.ascontiguousarray(columns.swapaxes(0, 1)), {**state, "sum_of_last": sums})

    def read(self, png: bytes) -> None:
        """Become the one that was stored. Raises UnreadableDayPicture."""
        pixels, state = read_png(png)
        try:
            frame_count, per_column = frames_in(state), int(state["frames_per_column"])
            count, open_count = divmod(frame_count, per_column)
            sums = numpy.frombuffer(base64.b64decode(state["sum_of_last"], validate=True), "<u4")
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise UnreadableDayPicture(f"its text does not say what is in it: {error!r}") from error
        shape = self._sum.shape[0], count + bool(open_count), 3
        if (
            pixels.shape != shape
            or not 0 <= count < MAXIMUM_COLUMNS
            or len(sums) != (self._sum.size if open_count else 0)
        ):
            raise UnreadableDayPicture(f"it has shape {pixels.shape}; its text says {frame_count} frames")
        self.frame_count, self._frames_per_column, self._column_count = frame_count, per_column, count
        self._columns[:count] = pixels.swapaxes(0, 1)[:count]
        if open_count:
            self._sum[:] = sums.reshape(self._sum.shape)
