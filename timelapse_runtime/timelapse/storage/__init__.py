"""Where objects are kept: one contract, S3 and memory behind it."""
