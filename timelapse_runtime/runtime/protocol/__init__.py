"""Lambda's Runtime API and Extensions API as state tables: requests and answers in, values out.

Nothing here touches a socket, the environment or the clock; `transport.py` and `transport_stdlib.py` carry the
requests, `exchange.py` says how often.

Source: Lambda developer guide, 'Using the Lambda runtime API for custom runtimes' and 'Using the Lambda
Extensions API', read November 2026.
"""
