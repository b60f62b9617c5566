"""The runtime: a Lambda custom runtime for any stateful Python function. It knows nothing of video or of S3's layout.

A function meets it in `function.py` (the contract), `clock.py` and `outbox.py`, and in nothing else.
"""
