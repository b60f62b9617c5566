# Read by bootstrap and by the extension, with $root set to the folder that holds timelapse_runtime/.
# Sets $python to a Python of at least 3.11 and exports PYTHONPATH. POSIX sh, for busybox too.

export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"

# A bundled interpreter, where the packager puts it. Its version is known.
for python in "$root/python/bin/python3" /opt/python/bin/python3; do
    [ -x "$python" ] && return 0
done

if [ -n "${STATEFUL_RUNTIME_PYTHON:-}" ]; then
    set -- "$STATEFUL_RUNTIME_PYTHON" # if set but unusable, fail: no fallback
else
    set -- python3 python3.13 python3.12 python3.11
fi
for python; do
    python=$(command -v "$python") || continue
    case "$(readlink -f -- "$python")" in # its name usually contains its version: 15 ms less than asking it
    */python3.1[1-9] | */python3.[2-9][0-9]) return 0 ;;
    esac
    "$python" -S -c 'import sys; sys.exit(sys.version_info < (3, 11))' && return 0
done

echo "$0: no Python of 3.11 or later: there is no $root/python/bin/python3 and no /opt/python/bin/python3," \
    "and $* is missing or older (PATH is $PATH; STATEFUL_RUNTIME_PYTHON chooses another)" >&2
exit 1
