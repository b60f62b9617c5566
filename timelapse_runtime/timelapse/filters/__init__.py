"""Filters: steps between a fitted photo and the encoder. The only place beside the sample scene that imports numpy."""
