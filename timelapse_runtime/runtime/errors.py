"""Every error that the runtime raises on purpose.

    LambdaRuntimeError
    ├── ConfigError                a variable is wrong: which one, its value, what is allowed
    ├── HandlerError               _HANDLER names nothing that can run
    │   ├── ImportModuleError      its module, or one that it imports, cannot be imported
    │   ├── UserCodeSyntaxError    its module, or one that it imports, is not valid Python
    │   ├── MalformedHandlerName   it is not module.attribute
    │   └── BuiltInModuleConflict  its module has the name of one that is built into Python
    ├── UnsupportedMode            Lambda started the environment in a mode that this runtime does not serve
    ├── ProtocolError
    │   ├── LocalProtocolError     the runtime tried a call that the API's state does not allow: our bug
    │   └── RemoteProtocolError    the Lambda service answered something that its documents do not allow
    ├── TransportError             no response, or only part of one, from the Lambda service
    │   ├── ConnectionRefused      nothing listens at its address
    │   └── AnsweredEarly          a response came before the end of a streamed request
    ├── MarshalError               what the function returned has no form in which it can be sent
    └── ServiceGone                nothing has listened there for a minute: the process must end

`error_type` is stable: it is sent in Lambda's header `Lambda-Runtime-Function-Error-Type`. HandlerError and those below
it have the names of AWS's Python runtime (awslambdaric 4.2.2). Code branches on classes, never on text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from timelapse_runtime.runtime.protocol.messages import Response


class LambdaRuntimeError(Exception):
    """Root of the runtime's errors."""

    error_type: ClassVar[str] = "Runtime.Unknown"


class ConfigError(LambdaRuntimeError):
    """An environment variable that the runtime cannot use."""

    error_type = "Runtime.ConfigError"

    def __init__(self, variable: str, value: str | None, allowed: str) -> None:
        got = "it is not set" if value is None else f"it is {value!r}"
        super().__init__(f"environment variable {variable}: {got}; allowed: {allowed}")
        self.variable, self.value, self.allowed = variable, value, allowed


class HandlerError(LambdaRuntimeError):
    """`_HANDLER` names nothing that can run."""

    error_type = "Runtime.HandlerNotFound"


class ImportModuleError(HandlerError):
    """The handler's module cannot be imported: it is missing, or a module that it imports is. See `__cause__`."""

    error_type = "Runtime.ImportModuleError"


class UserCodeSyntaxError(HandlerError):
    """The handler's module, or one that it imports, is not valid Python. `__cause__` has the place."""

    error_type = "Runtime.UserCodeSyntaxError"


class MalformedHandlerName(HandlerError):
    """`_HANDLER` does not have the form module.attribute."""

    error_type = "Runtime.MalformedHandlerName"


class BuiltInModuleConflict(HandlerError):
    """`_HANDLER` names a module that is built into Python, which no file of that name can replace."""

    error_type = "Runtime.BuiltInModuleConflict"


class UnsupportedMode(LambdaRuntimeError):
    """Lambda started the environment in a mode that this runtime does not serve."""

    error_type = "Runtime.UnsupportedMode"


class ProtocolError(LambdaRuntimeError):
    """A Lambda API was used, or would be used, against its rules."""

    error_type = "Runtime.ProtocolError"


class LocalProtocolError(ProtocolError):
    """The runtime tried a call that the API's state does not allow: our bug."""

    error_type = "Runtime.LocalProtocolError"


class RemoteProtocolError(ProtocolError):
    """The Lambda service answered something that its documents do not allow."""

    error_type = "Runtime.RemoteProtocolError"


class TransportError(LambdaRuntimeError):
    """No response, or only part of one, came from the Lambda service."""

    error_type = "Runtime.TransportError"


class ConnectionRefused(TransportError):
    """Nothing listens at the Lambda service's address."""

    error_type = "Runtime.ConnectionRefused"


class AnsweredEarly(TransportError):
    """The Lambda service answered before the end of a streamed request: it refuses it. `response` is its answer."""

    error_type = "Runtime.AnsweredEarly"

    def __init__(self, response: Response) -> None:
        super().__init__(f"status {response.status} before the end of the stream")
        self.response = response


class MarshalError(LambdaRuntimeError):
    """What the function returned, or a chunk of its stream, has no form in which it can be sent."""

    error_type = "Runtime.MarshalError"


class ServiceGone(LambdaRuntimeError):
    """Nothing has listened at the Lambda service's address for a minute of waking time."""

    error_type = "Runtime.ServiceGone"
