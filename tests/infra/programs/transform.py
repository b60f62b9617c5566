"""Prints a SAM template as CloudFormation sees it after the transform. Offline. Arguments: template, Parameter=value …

Local code is taken for an object in S3, as `sam package` leaves it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """The templates name none; the real loader would ask IAM."""

    def load(self) -> dict[str, str]:
        return {}


template = yaml_parse(Path(sys.argv[1]).read_text())
for resource in template["Resources"].values():
    for name in {"CodeUri", "ContentUri"} & set(resource.get("Properties", ())):
        resource["Properties"][name] = "s3://code/package.zip"
parameters = dict(setting.split("=", 1) for setting in sys.argv[2:])
sys.stdout.write(json.dumps(transform(template, parameters, NoManagedPolicies())))
