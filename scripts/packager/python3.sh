#!/bin/sh
# Starts the interpreter beside it with the C library and the loader from ../lib: nothing of the system's is loaded.
# POSIX sh; no program is run but the loader.
home=${0%/*}/..
# Locale files belong to a C library's version; those of the system may be another's. Python takes "C" for UTF-8.
export LC_ALL=C
# The TLS library looks for certificates where it was built.
[ -n "${SSL_CERT_FILE:-}${SSL_CERT_DIR:-}" ] || export SSL_CERT_DIR="$home/certificates"
# --library-path takes the place of LD_LIBRARY_PATH, and is not handed down to other programs as that would be.
exec "$home/lib/@LOADER@" --inhibit-cache --library-path "$home/lib" --argv0 "$0" "$home/@EXECUTABLE@" "$@"
