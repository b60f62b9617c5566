"""Filters: steps between a fitted photo and the encoder. They import numpy, so one is imported only when it is on."""
