"""What a fleet of cameras uses and costs: prices, measured figures, one stream's requests, a simulation of many.

    prices     the one table of list prices
    usage      what is used: invocations, GB-seconds, requests, storage; and the bill for it
    measured   what an operation of the function takes, measured (measured.json)
    camera     what one camera sends
    stream     which requests and commits a stream makes for its photos
    cost       dollars per camera and month, on Lambda and on EC2
    simulation many cameras, queues, environments (needs the extra `simulate`)

Never deployed. Knows of the function its configuration (`timelapse/config.py`), and nothing of its insides.
"""
