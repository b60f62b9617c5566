"""CA certificates in OpenSSL's hashed-directory format: one file each, named by the subject's hash.

A bundle is read whole at the first connection of each start, which takes 20 ms of CPU. Of a folder, one file is read.
Source: openssl-rehash(1) and SSL_CTX_load_verify_locations(3) of OpenSSL 3, read November 2026.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

from scripts.packager.failure import PackageFailed

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n.*?-----END CERTIFICATE-----\n", re.DOTALL)


def write_folder(bundle: Path, folder: Path) -> None:
    """Write the certificates of a bundle into `folder`, which is created."""
    program = shutil.which("openssl")
    if program is None:
        raise PackageFailed("`openssl` is needed, to name certificates by their hashes (Debian: openssl)")
    folder.mkdir()
    numbers: Counter[str] = Counter()
    for certificate in _CERTIFICATE.findall(bundle.read_text()):
        command = [program, "x509", "-noout", "-subject_hash"]
        done = subprocess.run(command, input=certificate, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PackageFailed(f"a certificate of {bundle} cannot be read: {done.stderr.strip()}")
        name = done.stdout.strip()
        path = folder / f"{name}.{numbers[name]}"
        numbers[name] += 1
        path.write_text(certificate)
        path.chmod(0o644)
