"""A video that another tool made becomes the beginning of a stream. Never deployed.

h264             NAL units, and what a sequence parameter set says
groups           packets in decode order to closed groups of pictures, numbered as they are shown
source_file      the file: what it is, and its packets
survey           the first reading of it: whether its packets can be copied, and what its reel will be
capture_times    when each frame was taken
copied, recoded  the second reading: its segments
prepared         the segments on this machine's disk, until they are stored
adoption         from there to the stream: objects, then the checkpoint
"""
