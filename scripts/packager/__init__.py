"""Builds what is deployed: the function's zip, the layers, the image.

A package holds an interpreter, its standard library, the locked packages, and every shared library down to the C
library and its loader. So it runs on any Linux of its architecture, whatever its C library is. All of these are taken
from the machine that it is built on; of the other architecture they are Debian's, which apt fetches.

Needs Python's standard library, dpkg or rpm (for the libraries' licences) and, for the image, a static busybox; for the
other architecture apt.
"""
