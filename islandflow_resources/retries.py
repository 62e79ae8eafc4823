"""How long to wait for a server that is away, and how to say so when it stays away.

Which errors are transient is decided beside each client (``s3_store``,
``database``); what a retryable error becomes in Dagster lives in ``failures``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import tenacity

T = TypeVar("T")
_LOG = logging.getLogger("islandflow.retries")


@dataclass(frozen=True, slots=True)
class Patience:
    """Bounds of waiting: jittered exponential pauses within a total.

    Attributes
    ----------
    total_s : float
        No attempt starts later than this after the first.
    first_s, longest_s : float
        Scale of the first pause and upper bound of any.
    """

    total_s: float = 30.0
    first_s: float = 0.1
    longest_s: float = 3.0


def patiently(
    action: Callable[[], T],
    *,
    what: str,
    transient: Callable[[BaseException], bool],
    give_up: Callable[[str, BaseException], Exception],
    patience: Patience,
) -> T:
    """Call `action` until it answers, fails for good, or patience ends.

    Parameters
    ----------
    what : str
        What is attempted, for logs and the final message.
    transient : callable
        Whether another attempt may help; other errors pass at once.
    give_up : callable
        Makes the final error from a sentence that says what was tried how often,
        and the last error.

    Raises
    ------
    Exception
        What `give_up` made, or the first error that is not transient.
    """
    started = time.monotonic()
    retrying = tenacity.Retrying(
        stop=tenacity.stop_before_delay(patience.total_s),
        wait=tenacity.wait_random_exponential(multiplier=patience.first_s, max=patience.longest_s),
        retry=tenacity.retry_if_exception(transient),
        before_sleep=lambda state: _LOG.warning("%s: %s", what, _progress(state)),
    )
    try:
        return retrying(action)
    except tenacity.RetryError as error:
        last = error.last_attempt.exception()
        assert last is not None
        attempts = error.last_attempt.attempt_number
        tried = (
            f"{what}: tried {attempts} time{'' if attempts == 1 else 's'} "
            f"in {time.monotonic() - started:.1f} s, the last answer was: {_short(last)}"
        )
        raise give_up(tried, last) from last


def _progress(state: tenacity.RetryCallState) -> str:
    outcome = state.outcome.exception() if state.outcome else None
    pause_s = state.next_action.sleep if state.next_action else 0.0
    return f"attempt {state.attempt_number} failed ({_short(outcome)}), again in {pause_s:.1f} s"


def _short(error: BaseException | None) -> str:
    # SQLAlchemy wraps the driver's own error and adds the statement, which helps nobody here.
    text = " ".join(str(getattr(error, "orig", error)).split())
    return text[:300] or type(error).__name__
