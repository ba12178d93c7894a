"""One tree of errors: whose fault, which status, which code, and whether trying again may help.

    RouterError
    +-- RequestError          the caller's fault; the same request would fail again
    |   +-- InvalidRequest        400  invalid_request_error   a code for each mistake (docs/reference/http.md)
    |   +-- Unauthorized          401  authentication_error    invalid_api_key
    |   +-- Forbidden             403  permission_error        permission_denied
    |   +-- NotFound              404  not_found_error         (model_not_found, unknown_path)
    |   +-- MethodNotAllowed      405  invalid_request_error   method_not_allowed
    |   +-- RequestTimeout        408  timeout_error           request_timeout
    |   +-- TooLarge              413  invalid_request_error   request_too_large
    |   +-- Unservable            422  invalid_request_error   no_candidate
    |   +-- Unsupported           400  invalid_request_error   unsupported_by_models
    |   +-- IdempotencyConflict   409  invalid_request_error   idempotency_in_progress, _already_answered, _interrupted
    |   `-- IdempotencyMismatch   422  invalid_request_error   idempotency_key_reused
    +-- Busy                  429  rate_limit_error    overloaded, rate_limit_exceeded; wait and try again
    +-- Draining              503  server_error        shutting_down
    +-- StoreUnavailable      503  server_error        store_unavailable; where only a durable promise would do
    +-- UpstreamError         the models' fault
    |   +-- UpstreamUnavailable   502/503  upstream_error      upstream_unavailable
    |   +-- UpstreamRejected      the upstream's own 4xx, passed on
    |   +-- UpstreamBroken        502  upstream_error          upstream_truncated
    |   `-- UpstreamError itself  502  upstream_error          upstream_auth, upstream_malformed, upstream_not_found
    +-- Internal              500  server_error        internal_error; ours
    `-- ConfigError           never on the wire: a configuration that must not be loaded

Statuses are chosen so that client libraries react rightly: they retry 408, 409, 429 and 5xx, so what retrying cannot
mend is none of these, and after we have exhausted our own tries `x-should-retry: false` says so.
"""

from typing import ClassVar


class RouterError(Exception):
    """An error with a face: `message` is safe to show to the caller. Raises nothing itself."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: str = "internal_error"
    retry: ClassVar[bool | None] = None  # what `x-should-retry` says; None: nothing, the status tells it

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.param = param
        self.retry_after_s = retry_after_s
        self.should_retry = self.retry if should_retry is None else should_retry
        self.http_status = self.status
        self.error_type = self.type


class RequestError(RouterError):
    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class InvalidRequest(RequestError):
    pass


class Unauthorized(RequestError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Forbidden(RequestError):
    status = 403
    type = "permission_error"
    code = "permission_denied"


class NotFound(RequestError):
    status = 404
    type = "not_found_error"
    code = "model_not_found"


class MethodNotAllowed(RequestError):
    status = 405
    code = "method_not_allowed"


class RequestTimeout(RequestError):
    status = 408
    type = "timeout_error"
    code = "request_timeout"


class TooLarge(RequestError):
    status = 413
    code = "request_too_large"


class Unservable(RequestError):
    """No model of the route may serve this request; the message lists why, model by model."""

    status = 422
    code = "no_candidate"


class Unsupported(RequestError):
    """No model of the route can serve this request: it needs what they lack. The message says what, model by model."""

    code = "unsupported_by_models"


class IdempotencyConflict(RequestError):
    status = 409

    def __init__(
        self, message: str, *, code: str, should_retry: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, code=code, should_retry=should_retry, retry_after_s=retry_after_s)


class IdempotencyMismatch(RequestError):
    status = 422
    code = "idempotency_key_reused"


class Busy(RouterError):
    status = 429
    type = "rate_limit_error"
    code = "overloaded"
    retry = True


class Draining(RouterError):
    status = 503
    code = "shutting_down"
    retry = True


class StoreUnavailable(RouterError):
    status = 503
    code = "store_unavailable"
    retry = True


class UpstreamError(RouterError):
    status = 502
    type = "upstream_error"
    code = "upstream_unavailable"


class UpstreamUnavailable(UpstreamError):
    """Every admissible model failed. 502 after one kind of failure, 503 with Retry-After where waiting may help."""

    def __init__(self, message: str, *, status: int = 502, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s=retry_after_s, should_retry=False)
        self.http_status = status


class UpstreamRejected(UpstreamError):
    """The upstream refused the request itself (its own 4xx), and so would any other: passed on with its words."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str,  # noqa: A002 - the wire's own name
        code: str | None,
        param: str | None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, code=code, param=param, retry_after_s=retry_after_s)
        self.code = code or "upstream_rejected"
        self.http_status = status
        self.error_type = type or "invalid_request_error"


class UpstreamBroken(UpstreamError):
    """The answer broke after its content had begun: it cannot be taken back, so it ends with an honest error."""

    code = "upstream_truncated"


class Internal(RouterError):
    pass


class ConfigError(Exception):
    """A configuration that must not be loaded; `problems` are whole sentences with file, line and path."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
