"""`timelapse check-store`: tries on a real store what the product needs, and says what will not work.

It writes into a folder of its own and removes it: some 1,200 small objects and 50 MB, for less than a cent at S3's
prices. What it tries is in `store_requirements.py`.
"""

from __future__ import annotations

import argparse
import json
import secrets
import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import certifi
import httpx

from timelapse_runtime.cli import EXIT_FINDINGS, EXIT_OK
from timelapse_runtime.cli.store_requirements import REQUIREMENTS, Differs, Requirement, Trial, Use
from timelapse_runtime.runtime.state.contract import PresignedPut, Store
from timelapse_runtime.runtime.state.errors import StorageError
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.model.location import Location

_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one check. `difference` is None if the requirement holds."""

    requirement: Requirement
    difference: str | None


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Try everything and print it; the exit code. Raises StorageError if the store cannot be used at all."""
    place: Location = options.place
    store = S3Store(make_client(variables=variables, user_agent="timelapse-check-store"), place.bucket)
    folder = f"{place.prefix}timelapse-check-{secrets.token_hex(4)}/"
    store.put(f"{folder}begin", b"")  # a wrong bucket or key is an error of the command, and no finding
    findings = []
    try:
        with http_client(variables) as client:
            for number, requirement in enumerate(REQUIREMENTS.values()):
                findings.append(check(requirement, http_trial(store, f"{folder}{number}/", client)))
                if not options.json:
                    print("\n".join(_described(findings[-1])), flush=True)
    finally:
        _remove(store, folder)
    if options.json:
        print(json.dumps(_as_value(findings)))
    else:
        print("\n".join(_verdict(findings)))
    return EXIT_OK if all(uses(findings).values()) else EXIT_FINDINGS


def http_trial(store: Store, folder: str, client: httpx.Client) -> Trial:
    """A trial whose presigned addresses are asked by HTTP."""

    def send(signed: PresignedPut, body: bytes) -> int:
        return client.put(signed.url, content=body, headers=dict(signed.headers)).status_code

    return Trial(store, folder, send, lambda url: dict(client.get(url).headers))


def http_client(variables: Mapping[str, str]) -> httpx.Client:
    """It trusts the certificate authorities that boto3 trusts."""
    context = ssl.create_default_context(cafile=variables.get("AWS_CA_BUNDLE") or certifi.where())
    return httpx.Client(verify=context, timeout=_TIMEOUT_SECONDS)


def check(requirement: Requirement, trial: Trial) -> Finding:
    """Try one requirement."""
    try:
        requirement.check(trial)
    except (Differs, StorageError, httpx.TransportError) as error:
        return Finding(requirement, str(error))
    return Finding(requirement, None)


def uses(findings: Sequence[Finding]) -> dict[Use, bool]:
    """What the store can be used for."""
    missing = {use for finding in findings if finding.difference for use in finding.requirement.needed_for}
    return {use: use not in missing for use in Use}


def _remove(store: Store, folder: str) -> None:
    try:
        store.delete([info.key for info in store.list_after(folder)])
    except StorageError as error:
        print(f"timelapse: s3://{store.bucket}/{folder} could not be removed: {error}", file=sys.stderr)


def _described(finding: Finding) -> list[str]:
    requirement = finding.requirement
    if finding.difference is None:
        return [f"holds          {requirement.name}"]
    needed = " and ".join(sorted(requirement.needed_for)) or "nothing, but good to have"
    return [
        f"does not hold  {requirement.name}",
        f"    found:  {finding.difference}",
        f"    means:  {requirement.meaning}",
        f"    needed for: {needed}",
    ]


def _verdict(findings: Sequence[Finding]) -> list[str]:
    works = uses(findings)
    photos = "It can hold photos." if works[Use.PHOTOS] else "It cannot hold photos."
    videos = "It can hold videos." if works[Use.VIDEOS] else "It cannot hold videos: put them into another store."
    lines = ["", f"{photos} {videos}"]
    if works[Use.VIDEOS] and not works[Use.LAMBDA]:
        lines.append(
            "A function on Lambda works, but encodes some frames again; `timelapse run` needs no presigned PUTs."
        )
    return lines


def _as_value(findings: Sequence[Finding]) -> dict[str, object]:
    return {
        "usable_for": {use.value: works for use, works in uses(findings).items()},
        "requirements": [
            {
                "name": finding.requirement.name,
                "holds": finding.difference is None,
                "found": finding.difference,
                "meaning": finding.requirement.meaning,
                "needed_for": sorted(finding.requirement.needed_for),
            }
            for finding in findings
        ],
    }
