"""TLS towards AWS: whose certificates are believed, on systems that keep them in different places."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

CERTIFICATE_BUNDLES = (
    Path("/etc/pki/tls/certs/ca-bundle.crt"),  # Amazon Linux
    Path("/etc/ssl/certs/ca-certificates.crt"),  # Debian and its kin
)


def client_context(bundle: str | None = None) -> ssl.SSLContext:
    """A context that checks the other side against `bundle` (a file of certificates), or what the system has."""
    context = ssl.create_default_context(cafile=bundle)
    if not context.cert_store_stats()["x509_ca"] and not _has_folder():
        # A bundled interpreter looks for certificates where it was built, not where this system has them.
        for candidate in CERTIFICATE_BUNDLES:
            if candidate.exists():
                context.load_verify_locations(candidate)
                return context
        with contextlib.suppress(ImportError):  # a Python of one's own, on a system that keeps them nowhere
            import certifi  # noqa: PLC0415

            context.load_verify_locations(certifi.where())
    return context


def _has_folder() -> bool:
    """Whether OpenSSL looks into a folder where certificates are named by their hashes: it does when it needs one."""
    folder = ssl.get_default_verify_paths().capath
    return folder is not None and any(Path(folder).glob("*.0"))
