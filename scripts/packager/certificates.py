"""CA certificates in OpenSSL's hashed-directory format: one file each, named by the subject's hash.

A bundle is read whole at the first connection of each start, which takes 20 ms of CPU. Of a folder, one file is read.
Sources: openssl-rehash(1), SSL_CTX_load_verify_locations(3) and X509_NAME_hash_ex (crypto/x509/x_name.c, its comment on
the canonical encoding) of OpenSSL 3; RFC 5280, 4.1; ITU-T X.690. Read November 2026.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scripts.packager.failure import PackageFailed

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n.*?-----END CERTIFICATE-----\n", re.DOTALL)
_UTF8_STRING, _SET, _VERSION = 0x0C, 0x31, 0xA0
_ENCODINGS = {
    _UTF8_STRING: "utf-8",
    0x13: "ascii",  # PrintableString
    0x14: "latin-1",  # T61String, as OpenSSL reads it
    0x16: "ascii",  # IA5String
    0x1A: "ascii",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}
"""The strings that the canonical form changes, by their tags. Values of other types stay as they are."""


class Element(NamedTuple):
    """Of DER: a tag, the content, and both with the length between them."""

    tag: int
    content: bytes
    whole: bytes


def write_folder(bundle: Path, folder: Path) -> None:
    """Write the certificates of a bundle into `folder`, which is created."""
    folder.mkdir()
    numbers: Counter[str] = Counter()
    for certificate in _CERTIFICATE.findall(bundle.read_text()):
        try:
            name = f"{subject_hash(ssl.PEM_cert_to_DER_cert(certificate)):08x}"
        except (ValueError, IndexError) as error:
            raise PackageFailed(f"a certificate of {bundle} cannot be read: {error}") from error
        path = folder / f"{name}.{numbers[name]}"
        numbers[name] += 1
        path.write_text(certificate)
        path.chmod(0o644)


def subject_hash(certificate: bytes) -> int:
    """What `openssl x509 -subject_hash` prints for a certificate in DER. Raises ValueError, IndexError."""
    (outer,) = _elements(certificate)
    fields = list(_elements(next(_elements(outer.content)).content))
    # After the version, if it is told: serial number, signature algorithm, issuer, validity, subject.
    subject = fields[(fields[0].tag == _VERSION) + 4]
    canonical = b"".join(_canonical_set(one) for one in _elements(subject.content))
    return int.from_bytes(hashlib.sha1(canonical, usedforsecurity=False).digest()[:4], "little")


def _canonical_set(relative_name: Element) -> bytes:
    """Usually one attribute; several are in the order of their bytes, as DER asks."""
    attributes = []
    for attribute in _elements(relative_name.content):
        kind, value = _elements(attribute.content)
        attributes.append(_encode(attribute.tag, kind.whole + _canonical(value)))
    return _encode(_SET, b"".join(sorted(attributes)))


def _canonical(value: Element) -> bytes:
    """UTF-8, in lower case (ASCII's letters only), without spaces at the ends, and with single ones between."""
    encoding = _ENCODINGS.get(value.tag)
    if encoding is None:
        return value.whole
    text = value.content.decode(encoding).encode()
    return _encode(_UTF8_STRING, b" ".join(text.split()).lower())


def _elements(data: bytes) -> Iterator[Element]:
    start = 0
    while start < len(data):
        length, begin = data[start + 1], start + 2
        if length >= 0x80:
            begin += length & 0x7F
            length = int.from_bytes(data[start + 2 : begin])
        end = begin + length
        if end > len(data):
            raise ValueError("an element is longer than what holds it")
        yield Element(data[start], data[begin:end], data[start:end])
        start = end


def _encode(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets + content
