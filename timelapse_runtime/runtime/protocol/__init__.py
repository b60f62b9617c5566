"""Lambda's Runtime API and Extensions API as state tables: requests out, responses in, as values.

Nothing here touches a socket, the environment or the clock. `client.py` and `stdlib_client.py` carry the requests.

Source: Lambda developer guide, 'Using the Lambda runtime API for custom runtimes' and 'Using the Lambda
Extensions API', read November 2026.
"""
