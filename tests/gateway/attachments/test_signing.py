"""Signatures, against the answers that AWS has published."""

from datetime import UTC, datetime
from hashlib import sha256

import pytest

from gateway.attachments.signing import EMPTY, Credentials, wire_path

GENERAL = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service")
STORAGE = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
AT_HALF_PAST = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
AT_MIDNIGHT = datetime(2013, 5, 24, tzinfo=UTC)


def signature(headers: dict[str, str]) -> str:
    return headers["authorization"].rpartition("Signature=")[2]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ],
)
def test_the_plainest_requests_of_the_test_suite_are_signed_as_published(method: str, expected: str) -> None:
    signed = GENERAL.signed(method, "example.amazonaws.com", "/", {}, EMPTY, AT_HALF_PAST)
    assert signature(signed) == expected


def test_reading_an_object_is_signed_as_published() -> None:
    host = "examplebucket.s3.amazonaws.com"
    signed = STORAGE.signed("GET", host, "/test.txt", {"Range": "bytes=0-9"}, EMPTY, AT_MIDNIGHT)
    assert signed["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )
    assert signed["x-amz-date"] == "20130524T000000Z"


def test_writing_an_object_under_a_name_with_a_sign_in_it_is_signed_as_published() -> None:
    headers = {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}
    digest = sha256(b"Welcome to Amazon S3.").hexdigest()
    path = wire_path("test$file.text")
    signed = STORAGE.signed("PUT", "examplebucket.s3.amazonaws.com", path, headers, digest, AT_MIDNIGHT)
    assert signature(signed) == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"


def test_the_secret_is_not_shown() -> None:
    assert "wJalr" not in repr(STORAGE)
    assert "wJalr" not in str(STORAGE.signed("GET", "example", "/", {}, EMPTY, AT_MIDNIGHT))
