"""What the model assumes and this project cannot measure: AWS's own times. Each has its source; all are medians or
means of what others report, so trust comparisons more than sums.

What is measured here is in `measured.json`.
"""

from __future__ import annotations

S3_FIRST_BYTE_MS = {"read": 15.0, "write": 30.0, "list": 30.0}
"""Median times to the first byte of small objects from Lambda in the same region. S3 user guide, 'Performance
guidelines': 'roughly 100-200 milliseconds' at most for small objects; published measurements of warm connections have
10 to 20 ms for GET and 20 to 40 ms for PUT (read November 2026)."""
S3_LATENCY_SIGMA = 0.5
"""Of the logarithm: the 99th percentile is 3.2 times the median."""
S3_BYTES_PER_SECOND = 80e6
"""One connection (S3 user guide, the same page: 85 to 90 MB/s a request)."""

NOTIFICATION_MS = 700.0
"""S3 to Lambda or EventBridge: 'typically in seconds but can sometimes take a minute or longer' (S3 user guide, 'Event
notifications'); published medians lie between 0.5 and 1 s. Its sigma is S3's."""
SANDBOX_START_MS = 200.0
"""What a cold start takes beside init, unbilled: a sandbox with a package of 50 MB."""
QUEUE_HOP_MS = 30.0
"""One hop between EventBridge, router, SQS and dispatcher, each."""

ENVIRONMENT_IDLE_SECONDS = (300.0, 900.0)
"""An environment without an event ends after a time in this range. Not documented; published measurements lie in it."""
ENVIRONMENT_LIFE_SECONDS = (5_400.0, 9_000.0)
"""A busy one ends after a time in this range. Not documented ('every few hours', Lambda developer guide, 'Execution
environment lifecycle')."""
RETRY_FIRST_SECONDS, RETRY_LAST_SECONDS = 1.0, 300.0
"""A throttled asynchronous event is tried again after a time that doubles between these (Lambda developer guide, 'How
Lambda handles errors and retries with asynchronous invocation')."""

PLATFORM_LOG_BYTES = 900
"""START, END and REPORT of an invocation, as JSON, with CloudWatch's 26 bytes for each."""
SMALL_FUNCTION_MB = 256
"""Router and dispatcher (infra/cameras.yaml; a test compares)."""
ROUTER_MS = 25.0
"""One invocation of the router: a SendMessageBatch."""
SWEEP_SECONDS = 300
"""SweepSchedule's default in both templates (a test compares)."""

EC2_UTILISATION = 0.7
"""Share of an instance's CPU that is planned for: the rest is for bursts and for catching up after a restart."""
EC2_SYSTEM_BYTES = 250e6
"""The operating system and the process."""
EC2_DISK_GB = 8
EC2_QUEUE_REQUESTS_PER_PHOTO = 3.0
"""SQS: S3's message, a receive, a delete. Batches make it less."""
