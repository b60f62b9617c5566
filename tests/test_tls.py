"""Whose certificates are believed."""

from __future__ import annotations

import shutil
from pathlib import Path

import certifi
import pytest

from timelapse_runtime import tls


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder, where OpenSSL looks."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "bundle.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    return tmp_path


def count(bundle: str | None = None) -> int:
    return tls.client_context(bundle).cert_store_stats()["x509_ca"]


def test_a_bundle_that_is_named_is_the_only_one(tmp_path: Path) -> None:
    (tmp_path / "one.pem").write_text(
        Path(certifi.where()).read_text().partition("-----END")[0] + "-----END CERTIFICATE-----\n"
    )
    assert count(str(tmp_path / "one.pem")) == 1


def test_the_systems_bundle_is_found_where_openssl_does_not_look(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = nowhere / "elsewhere.pem"
    shutil.copy(certifi.where(), elsewhere)
    monkeypatch.setattr(tls, "CERTIFICATE_BUNDLES", (nowhere / "missing", elsewhere))
    assert count() > 100


def test_a_system_without_any_believes_certifis(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "CERTIFICATE_BUNDLES", (nowhere / "missing",))
    assert count() > 100


def test_of_a_folder_nothing_is_read_before_it_is_needed(nowhere: Path) -> None:
    (nowhere / "1234abcd.0").touch()
    assert count() == 0
