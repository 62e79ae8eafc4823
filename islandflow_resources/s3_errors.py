"""What a failed request to an S3 store means: whether to try again, and what to do about it.

Requests are made in ``s3_store``, which also says what a refusal for good means.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from contracts.errors import StoreUnavailableError

_SKEWED: Final = "RequestTimeTooSkewed"
_TOLERANCE: Final = timedelta(minutes=14)
"""Signatures that are a quarter of an hour away are refused; answers are on their way a moment."""
_FULL_STATUS: Final = 507
_RETRIED_CODES: Final = frozenset(
    {
        "BadDigest",
        "ConditionalRequestConflict",
        "OperationAborted",
        "RequestTimeout",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "XAmzContentChecksumMismatch",
    }
)


def client_error() -> type[Exception]:
    """The error of a request that was answered, imported when it is needed."""
    from botocore.exceptions import ClientError

    return ClientError


def status_of(error: Any) -> int:
    """HTTP status of an answer."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_skewed(error: Any) -> bool:
    """Whether a request was refused because this machine's clock is not the server's.

    A clock may be set right meanwhile. A HEAD is answered without a code: dates tell it.
    """
    if status_of(error) not in (400, 401, 403):
        return False
    if error.response.get("Error", {}).get("Code", "") == _SKEWED:
        return True
    told = error.response["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    if not told:
        return False
    try:
        there = parsedate_to_datetime(told)
    except ValueError:
        return False
    return abs(datetime.now(UTC) - there) > _TOLERANCE


def transient(error: BaseException) -> bool:
    """Whether another attempt may succeed."""
    from botocore import exceptions as botocore_errors

    if isinstance(error, botocore_errors.ClientError):
        code, status = error.response.get("Error", {}).get("Code", ""), status_of(error)
        return code in _RETRIED_CODES or status in (409, 429) or status >= 500 or is_skewed(error)
    return isinstance(
        error,
        (
            botocore_errors.ConnectionError,
            botocore_errors.HTTPClientError,
            botocore_errors.ResponseStreamingError,
            botocore_errors.IncompleteReadError,
            botocore_errors.FlexibleChecksumError,
        ),
    )


def given_up(tried: str, last: BaseException, where: str) -> StoreUnavailableError:
    """Why patience ended, and what somebody has to do."""
    kept = "then run again: finished objects are kept"
    if isinstance(last, client_error()) and is_skewed(last):
        hint = f"set the clock of this machine to that of the object store, {kept}"
        return StoreUnavailableError("CLOCK_SKEWED", tried, where, (hint,))
    if isinstance(last, client_error()) and status_of(last) == _FULL_STATUS:
        hint = f"make room in the object store, {kept}"
        return StoreUnavailableError("STORE_FULL", tried, where, (hint,))
    hint = f"start the object store, {kept}"
    return StoreUnavailableError("STORE_UNAVAILABLE", tried, where, (hint,))
