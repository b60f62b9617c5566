"""Builds what is deployed: the function's zip, the layers, the image.

A package holds an interpreter, its standard library, the locked packages, and every shared library down to the C
library and its loader, all taken from the machine that it is built on. So it runs on any Linux of that architecture,
whatever its C library is, and can't be built for another architecture.

Needs Python's standard library, `strip` (binutils) and, for the image, a static busybox.
"""
