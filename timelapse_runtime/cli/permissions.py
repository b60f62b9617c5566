"""What IAM calls the permissions that the commands and the function need of S3 and SQS.

`refusals` names the one that is missing, `policy` prints all that a role needs, and scripts/deploy_check compares the
templates with them. tests/infra/test_policy.py compares the function's lists with a recorded run.

Source: Service Authorization Reference, 'Actions, resources, and condition keys for Amazon S3', the S3 API reference on
the permissions of HeadObject, UploadPartCopy and CompleteMultipartUpload, and S3 user guide, 'Multipart upload API and
permissions' (also for KMS); read November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "AbortMultipartUpload": ("s3:AbortMultipartUpload",),
    "CompleteMultipartUpload": ("s3:PutObject",),
    "CreateMultipartUpload": ("s3:PutObject",),
    "DeleteObjects": ("s3:DeleteObject",),
    "GetObject": ("s3:GetObject",),
    "HeadObject": ("s3:GetObject",),
    "ListObjectsV2": ("s3:ListBucket",),
    "PutObject": ("s3:PutObject",),
    "UploadPart": ("s3:PutObject",),
    "UploadPartCopy": ("s3:GetObject", "s3:PutObject"),
}
"""By operation. A GetObject that names a version needs s3:GetObjectVersion instead."""

READ_FRAMES = ("s3:GetObject", "s3:GetObjectVersion")
WRITE_VIDEO = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
"""What the timelapse function does to objects. It also lists both places."""

UPLOAD = ("s3:PutObject", "s3:AbortMultipartUpload")
"""What a camera does, if its program sends large photos in parts."""

READ_WITH_KEY = ("kms:Decrypt",)
WRITE_WITH_KEY = ("kms:Decrypt", "kms:GenerateDataKey")
"""Of the key that encrypts a bucket. A multipart upload decrypts its own parts when it is completed."""

READ_QUEUE = ("sqs:ReceiveMessage", "sqs:DeleteMessage")
