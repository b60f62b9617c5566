"""What helps a function to keep its state in S3. The runtime itself does not use it; the timelapse function does.

    errors       what S3's answers mean
    contract     an object store: what S3 gives and no more
    s3, memory   the two stores: boto3, and one for tests
    put          a PUT as a value; what is left of it at a shutdown
    checkpoint   one object that is replaced by compare-and-swap
    open_states  states by key, as many as fit into the memory

`timelapse_runtime.runtime` has the names that a function needs of these.
"""
