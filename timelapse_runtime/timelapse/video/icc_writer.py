"""Small ICC profiles, for files that name their colours in other ways (PNG's gAMA, HEIF's nclx).

Source: ICC.1:2022 (profile version 4.4): 7.2 header, 9.2 tags, 10.18 parametricCurveType, annex E (adaptation to D50).
"""

from __future__ import annotations

import struct

XY = tuple[float, float]
_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_Matrix = tuple[tuple[float, ...], ...]


def gamma_profile(gamma: float, white: XY, primaries: tuple[XY, XY, XY]) -> bytes:
    """Colours whose light is the value to the power `gamma`. Empty if no such colours exist."""
    return _profile(_parametric(0, gamma), white, primaries)


def srgb_curve_profile(white: XY, primaries: tuple[XY, XY, XY]) -> bytes:
    """Other primaries than sRGB's with its curve, such as Display P3. Empty if no such colours exist."""
    return _profile(_parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045), white, primaries)


def _profile(curve: bytes, white: XY, primaries: tuple[XY, XY, XY]) -> bytes:
    try:
        columns = _colorants(white, primaries)
        tags = [
            (b"desc", b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 2, 28) + b"\0x"),
            (b"cprt", b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 2, 28) + b"\0x"),
            (b"wtpt", _xyz(_D50)),
            *((name, _xyz(column)) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)),
            *((name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")),
        ]
    except (ZeroDivisionError, struct.error):
        return b""
    offset = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags:
        padded = content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", offset + len(data), len(content))
        data += padded
    header = struct.pack(">I4sI4s4s4s12x4s", offset + len(data), b"", 0x04400000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    return (header.ljust(68, b"\0") + _s15(*_D50)).ljust(128, b"\0") + table + data


def _colorants(white: XY, primaries: tuple[XY, XY, XY]) -> _Matrix:
    """The XYZ of red, green and blue under D50."""
    source_white = _from_xy(white)
    columns = tuple(_from_xy(primary) for primary in primaries)
    amounts = _apply(_inverse(_transposed(columns)), source_white)
    cone_scale = [d / s for d, s in zip(_apply(_BRADFORD, _D50), _apply(_BRADFORD, source_white), strict=True)]
    adapted = []
    for column, amount in zip(columns, amounts, strict=True):
        cones = _apply(_BRADFORD, tuple(amount * value for value in column))
        scaled = tuple(cone * scale for cone, scale in zip(cones, cone_scale, strict=True))
        adapted.append(_apply(_inverse(_BRADFORD), scaled))
    return tuple(adapted)


def _from_xy(point: XY) -> tuple[float, ...]:
    x, y = point
    return x / y, 1.0, (1 - x - y) / y


def _apply(matrix: _Matrix, vector: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def _transposed(matrix: _Matrix) -> _Matrix:
    return tuple(zip(*matrix, strict=True))


def _inverse(matrix: _Matrix) -> _Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    adjugate = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    return tuple(tuple(value / determinant for value in row) for row in adjugate)


def _parametric(kind: int, *values: float) -> bytes:
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + _s15(*values)


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + _s15(*values)


def _s15(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65_536) for value in values))
