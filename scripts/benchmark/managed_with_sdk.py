"""The managed function with the packages that it is made of elsewhere: boto3 with its S3 client, av, numpy.

For the start only: what this runtime does without is imported and opened, and the work is done by the same function.
"""

from __future__ import annotations

import os

import av
import boto3
import numpy as np

from scripts.benchmark.managed_function import handler

CLIENT = boto3.client("s3", region_name=os.environ.get("AWS_REGION", "us-east-1"))
PACKAGES = (av.__version__, boto3.__version__, np.__version__)

__all__ = ["CLIENT", "PACKAGES", "handler"]
