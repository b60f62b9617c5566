"""The `timelapse` command: what a person runs. One module per group of commands; `main.py` holds the parser."""
