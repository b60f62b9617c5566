"""Every difference between this runtime and awslambdaric 4.2.2, with its reason. The test fails for one that is not
here, and for one that is here and no longer there.

Facts are those of `observation.py`. Where one runtime gives a response and the other an error, or nothing, `outcome` is
the one fact that is compared, beside `process`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """The facts that differ in each of some cases. Cases are separated by spaces, facts by commas."""

    cases: str
    facts: str
    reason: str


EVERYWHERE = {
    "separators": "Compact JSON: more fits into the 6 MB of a response. awslambdaric writes ', ' and ': '.",
    "stackTrace": "The lines of Python's own traceback, causes and notes included. awslambdaric gives the last "
    "exception's frames, with line ends.",
    "error type header": "The Runtime API's documents ask for it with each error. awslambdaric sends it in init alone.",
}
"""Facts that differ in many cases, and are compared in none."""

INIT_EVERYWHERE = {
    "content type": "application/json. awslambdaric sends none with init/error.",
    "errorMessage": "Ours say what _HANDLER is, what is there instead, and what to do.",
    "frames": "From the function's first frame on, with the cause. awslambdaric gives the frames of Python's import "
    "system too, and none for its own errors.",
    "stackTrace": EVERYWHERE["stackTrace"],
    "error type header": "Function.Xyz for the function's own, as documented. awslambdaric: the class.",
}

DIFFERENCES = (
    # What a result is
    Difference("result-bytes result-empty-bytes", "content type", "application/unknown is not a registered type."),
    Difference(
        "result-nan result-infinity result-decimal-nan result-decimal-infinity",
        "outcome",
        "JSON has no NaN and no Infinity: the caller could not read what awslambdaric sends.",
    ),
    Difference("result-decimal-inexact", "outcome", "Most JSON readers make doubles of it, and would lose digits."),
    Difference("result-decimal-trailing-zero", "value", "The same number: 1.1 and 1.10."),
    Difference(
        "result-bytes-inside result-bytes-key",
        "outcome",
        "Bytes are not text: awslambdaric decodes them as UTF-8, and fails if they are not.",
    ),
    Difference("result-bytearray result-memoryview", "outcome", "They are bytes, as bytes are."),
    Difference(
        "result-datetime result-date result-uuid result-enum result-dataclass result-mapping-proxy result-user-dict",
        "outcome",
        "They have one usual JSON form (docs/runtime.md).",
    ),
    Difference("result-named-tuple", "value, compact text", "A tuple, as Python's json says. awslambdaric: an object."),
    Difference("result-asdict", "outcome", "_asdict means nothing but in named tuples."),
    Difference("result-coroutine", "outcome", "Functions may be async."),
    Difference("result-generator", "outcome", "What a function yields is streamed."),
    Difference(
        "result-lone-surrogate", "outcome, process", "UTF-8 lacks it: an error. awslambdaric's process dies of it."
    ),
    Difference(
        "result-tuple-key result-nested-100000 result-cyclic result-dataclass-class result-set result-range "
        "result-complex result-function result-partial result-ellipsis result-exception",
        "frames, xray",
        "The stack says what in the result has no JSON form. awslambdaric gives no stack.",
    ),
    Difference(
        "result-generator-of-integers",
        "errorMessage, frames, xray",
        "A generator is a stream of bytes and text (docs/runtime.md); this one yields numbers.",
    ),
    # How an error is told
    Difference(
        "error-base-exception error-cancelled error-silent error-surrogate-message",
        "outcome, process",
        "An error fails its invocation, whatever its class and text. awslambdaric's process dies of these.",
    ),
    Difference("error-keyboard-interrupt error-exit-0", "outcome", "Told before the process ends."),
    Difference("error-memory-error", "process", "State in memory cannot be trusted after it: the process ends."),
    Difference("error-long-message", "errorMessage, xray", "64 KiB of it: a body over 6 MB would be refused."),
    Difference("error-unicode-message", "xray", "Escaped: a header is ASCII. awslambdaric sends UTF-8."),
    Difference("error-chained", "frames", "The cause is in the stack."),
    Difference("error-recursion", "frames, xray", "The innermost 50 frames. awslambdaric gives all 1,000."),
    # What an event is
    Difference(
        "event-trailing-comma event-two-values event-broken event-nan event-infinity event-control-character "
        "event-nested-100000",
        "errorMessage, frames, xray",
        "Refused in the words of Python's json, with its stack. awslambdaric: of simplejson, without.",
    ),
    Difference(
        "event-too-long-number event-empty event-latin-1 event-utf-16",
        "frames, xray",
        "The stack of the parser. awslambdaric gives none.",
    ),
    Difference("event-type-with-charset", "value, compact text", "JSON with a charset is JSON. awslambdaric: bytes."),
    # What the context has
    Difference("context-missing-variable", "value, compact text", "The documents say str: empty, not None."),
    Difference("client-context-broken identity-broken", "frames, xray", "The stack of the parser."),
    Difference(
        "client-context-list client-context-number identity-list",
        "errorType, errorMessage, frames, xray",
        "Runtime.LambdaContextUnmarshalError, as for what is not JSON. awslambdaric: its own AttributeError.",
    ),
    Difference("client-context-client-number", "outcome", "The one field that is wrong is empty."),
)

INIT_DIFFERENCES = (
    Difference("app.", "errorType", "No attribute: malformed."),
    Difference(
        ".handler ./app.handler", "errorType", "No module's name: malformed. awslambdaric: what importlib raises."
    ),
    Difference("app.LIMIT app.Bare", "outcome", "What cannot be called fails init, not each invocation."),
    Difference(
        "latin.handler exits.handler", "outcome", "Told, whatever ends the import. awslambdaric ends without a word."
    ),
)
