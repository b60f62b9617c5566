"""S3's XML, read and written."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.timelapse.storage import s3_xml

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
ENTRY = (
    "<Contents><Key>{}</Key><LastModified>2026-11-20T23:55:01.250Z</LastModified><ETag>&quot;e&quot;</ETag>"
    "<Size>7</Size><Owner><ID>x</ID></Owner></Contents>"
)


def page(inside: str) -> bytes:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f'{head}<ListBucketResult xmlns="{NAMESPACE}">{inside}</ListBucketResult>'.encode()


def test_an_entry_says_what_is_known_of_an_object() -> None:
    (found,) = s3_xml.objects(s3_xml.parse(page(ENTRY.format("a+b%2B%0Ac/%F0%9F%8C%8D"))))
    assert (found.key, found.etag, found.size_bytes) == ("a b+\nc/\U0001f30d", '"e"', 7)
    assert found.last_modified_epoch_ms == 1795218901250


def test_white_space_before_an_answer_is_no_part_of_it() -> None:
    """S3 sends it while it completes an upload, so that nobody gives up."""
    answer = b' \n <?xml version="1.0"?>  <CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>'
    assert s3_xml.text(s3_xml.parse(answer), "ETag") == "e"


@pytest.mark.parametrize(
    "body",
    [b"", b"no XML", b"<a><b></a>", b'<!DOCTYPE a [<!ENTITY e "ee">]><a>&e;</a>', b"<a>&e;</a>"],
)
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"XML|document type"):
        s3_xml.parse(body)


def test_an_entry_without_a_size_is_refused() -> None:
    with pytest.raises(ValueError, match="no Size"):
        list(s3_xml.objects(s3_xml.parse(page(ENTRY.format("a").replace("Size", "Length")))))


@pytest.mark.parametrize(("end", "expected"), [("<IsTruncated>false</IsTruncated>", None), ("t", "n")])
def test_a_page_says_whether_another_follows(end: str, expected: str | None) -> None:
    more = "<IsTruncated>true</IsTruncated><NextContinuationToken>n</NextContinuationToken>"
    assert s3_xml.next_token(s3_xml.parse(page(more if expected else end))) == expected


@pytest.mark.parametrize("end", ["", "<IsTruncated>true</IsTruncated>"])
def test_a_page_that_does_not_say_it_is_refused(end: str) -> None:
    """An end that is none would hide photos."""
    with pytest.raises(ValueError, match="has no"):
        s3_xml.next_token(s3_xml.parse(page(end)))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], min_codepoint=0x20), min_size=1), max_size=3))
def test_keys_to_be_deleted_are_read_as_they_are(keys: list[str]) -> None:
    keys = [key.replace("\ufffe", "").replace("\uffff", "") + "<&>\r\n\t'\"" for key in keys]
    found = fromstring(s3_xml.deletion(keys))
    assert [one.text for one in found.iterfind(f".//{{{NAMESPACE}}}Key")] == keys


def test_parts_are_numbered_from_one() -> None:
    found = fromstring(s3_xml.completion(['"a"', '"b"']))
    assert [[child.text for child in part] for part in found] == [["1", '"a"'], ["2", '"b"']]
