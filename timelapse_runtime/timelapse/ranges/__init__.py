"""Old photos at scale: ranges of a stream's photos that are read, decoded and encoded apart, by other processes or by
other Lambda functions, and joined by the stream's one owner.

The owner does what it always does: it decides the order of photos, their reels and what is rejected, numbers the
frames, makes the segments and commits them. It only finds that a photo was read already (`RangeReader`), and that the
packets of a whole group of pictures are there already (`RangeCodec`). What the others made is a guess that is checked:
packets are used if they show exactly the pictures that the owner appends, in its sequence and with its settings. If
they do not, or if a range is missing, the owner reads and encodes those photos itself. So the others can make a
backfill faster, and cannot make it wrong.

    encoded_range    what comes of a range: the outcome of each photo, and the packets, as one value
    plan             photos in order to ranges
    range_encoder    a range of photos to an EncodedRange
    pictures         pictures whose pixels are elsewhere
    range_codec      the codec of the owner: takes such pictures, and gives their packets
    range_reader     the photos of the owner: outcomes instead of photos, as far as ranges have them
"""
