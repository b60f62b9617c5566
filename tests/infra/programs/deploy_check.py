"""Runs deploy-check, and resolves templates for tests: many times in one process, because cfn-lint loads slowly.

Reads a JSON object per line, `{"check": arguments}` or `{"resolve": template, "set": parameters}`; writes one for each.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from cfnlint.decode import decode
from cfnlint.template import Template

from scripts.deploy_check.__main__ import main
from scripts.deploy_check.deployed import Deployed


def check(arguments: list[str]) -> dict[str, Any]:
    with redirect_stdout(io.StringIO()) as said, redirect_stderr(io.StringIO()) as errors:
        code = main(arguments)
    return {"code": code, "stdout": said.getvalue(), "stderr": errors.getvalue()}


def resolve(path: str, parameters: dict[str, str]) -> dict[str, Any]:
    template, _ = decode(path)
    for name, value in parameters.items():
        template["Parameters"][name]["Default"] = value
    cfn = Template(path, template, ["us-east-1"])
    cfn.transform()
    deployed = Deployed(cfn)
    return {name: deployed[name] for name in deployed}


for line in sys.stdin:
    request = json.loads(line)
    answer = check(request["check"]) if "check" in request else resolve(request["resolve"], request["set"])
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
