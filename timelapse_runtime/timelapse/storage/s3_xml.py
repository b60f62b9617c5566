"""S3's XML: what its answers say, and the two bodies that it is sent.

The parser is loaded with the first answer that needs it: reading and writing objects does not. Source: Amazon S3 API
reference (ListObjectsV2, DeleteObjects, CompleteMultipartUpload), read November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from timelapse_runtime.timelapse.storage.contract import ObjectInfo

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_NAMESPACE = re.compile(rb""" xmlns=("[^"]*"|'[^']*')""")
_ESCAPED = {ord(character): f"&#{ord(character)};" for character in "<>&\r\n\t\"'"}


def parse(body: bytes) -> Element:
    """The root; names come without S3's namespace, which is taken out before. Raises ValueError.

    S3 sends white space while a long operation runs, and never a document type: entities would come with one.
    """
    from xml.etree.ElementTree import ParseError, fromstring  # noqa: PLC0415

    if b"<!DOCTYPE" in body:
        raise ValueError("the answer has a document type")
    try:
        return fromstring(_NAMESPACE.sub(b"", body.strip(), count=1))  # noqa: S314 - without a document type
    except ParseError as error:
        raise ValueError(f"the answer is no XML: {error}") from error


def text(element: Element, name: str) -> str:
    """What a child says. Raises ValueError where there is none."""
    found = element.findtext(name)
    if not found:
        raise ValueError(f"the answer's {element.tag} has no {name}")
    return found


def objects(page: Element) -> Iterator[ObjectInfo]:
    """A page's objects. Its keys are URL-encoded: XML has no way to write all of them. Raises ValueError."""
    for entry in page.iterfind("Contents"):
        # One walk over the children: four searches take twice as long, and a page has a thousand of these.
        found = {child.tag: child.text or "" for child in entry}
        try:
            modified = datetime.fromisoformat(found["LastModified"])
            key = unquote_plus(found["Key"], errors="surrogatepass")
            yield ObjectInfo(key, found["ETag"], int(found["Size"]), round(modified.timestamp() * 1000))
        except KeyError as error:
            raise ValueError(f"an entry of the listing has no {error.args[0]}") from error


def folders(page: Element) -> Iterator[str]:
    """A page's common prefixes. Raises ValueError."""
    for entry in page.iterfind("CommonPrefixes"):
        yield unquote_plus(text(entry, "Prefix"), errors="surrogatepass")


def next_token(page: Element) -> str | None:
    """Where the next page begins, None after the last. Raises ValueError."""
    return text(page, "NextContinuationToken") if text(page, "IsTruncated") == "true" else None


def deletion(keys: Sequence[str]) -> bytes:
    """The body of DeleteObjects."""
    entries = "".join(f"<Object><Key>{key.translate(_ESCAPED)}</Key></Object>" for key in keys)
    return _document("Delete", f"{entries}<Quiet>true</Quiet>")


def completion(etags: Iterable[str]) -> bytes:
    """The body of CompleteMultipartUpload: the parts' ETags, from part 1 on."""
    parts = (
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag.translate(_ESCAPED)}</ETag></Part>"
        for number, etag in enumerate(etags, start=1)
    )
    return _document("CompleteMultipartUpload", "".join(parts))


def _document(root: str, inside: str) -> bytes:
    return f'<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inside}</{root}>'.encode()
