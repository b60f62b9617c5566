"""What `timelapse simulate` and `timelapse cost` are measured and checked by; never installed.

python -m scripts.fleet calibrate     measure what operations of the function take, and write measured.json
python -m scripts.fleet validate      8 cameras, real processes, against the simulation of the same
python -m scripts.fleet plots         the pictures of docs/scale.md
"""
