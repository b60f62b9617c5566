"""Validates JSON documents, for .venv-infra: {"schema": …, "documents": […]} in, a list of what is wrong out."""

import json
import sys

import jsonschema  # type: ignore[import-untyped]

given = json.load(sys.stdin)
validator = jsonschema.Draft7Validator(given["schema"])
wrong = [error.message for document in given["documents"] for error in validator.iter_errors(document)]
json.dump(wrong, sys.stdout)
