"""Where alerts go: the log always, and a webhook where the environment names one.

What raises them is ``islandflow_jobs.alert_sensors``. A new sink is one class with ``send``.
"""

from __future__ import annotations

import json
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import IO, Final, Protocol

from islandflow_resources.settings import Settings

TIMEOUT_S: Final = 5.0
_LOG = logging.getLogger("islandflow.alerts")


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that somebody should look at.

    Attributes
    ----------
    kind : str
        ``run_failed`` or ``stale``.
    subject : str
        Job and run, or campaign.
    text : str
        One sentence.
    """

    kind: str
    subject: str
    text: str


class Sink(Protocol):
    """Takes alerts."""

    def send(self, alert: Alert) -> str:
        """Pass an alert on; return what went wrong, or nothing. Never raises."""
        ...


class LogSink:
    """Writes alerts as warnings of the logger ``islandflow.alerts``."""

    def send(self, alert: Alert) -> str:
        """Write the alert."""
        _LOG.warning("%s: %s: %s", alert.kind, alert.subject, alert.text)
        return ""


@dataclass(frozen=True, slots=True)
class WebhookSink:
    """Posts alerts as JSON, ``{"kind", "subject", "text"}``.

    ``timeout_s`` is how long it waits for the server's next word.
    """

    address: str
    timeout_s: float = TIMEOUT_S

    def send(self, alert: Alert) -> str:
        """Post the alert: one attempt of a few seconds, since others wait behind it."""
        body = {"kind": alert.kind, "subject": alert.subject, "text": alert.text}
        try:
            request = urllib.request.Request(
                self.address, json.dumps(body).encode(), {"content-type": "application/json"}
            )
            with _OPENER.open(request, timeout=self.timeout_s):
                return ""
        except urllib.error.HTTPError as error:
            error.close()
            return f"the webhook answered {error.code}"
        except (OSError, ValueError, HTTPException) as error:
            return f"the webhook did not take the alert: {_reason(error)}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST arrives as an empty GET: the alert would be lost, and look taken."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow nothing."""


def _opener() -> urllib.request.OpenerDirector:
    """Opener of http and https alone: what else an address may name takes no alert."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _NoRedirects(),
    ):
        opener.add_handler(handler)
    return opener


_OPENER: Final = _opener()


def _reason(error: BaseException) -> str:
    """What went wrong, in words of the system's: other texts repeat the address, a secret."""
    reason = getattr(error, "reason", error)
    cause = reason if isinstance(reason, BaseException) else error
    if isinstance(cause, TimeoutError):
        return "it did not answer in time"
    number = (
        cause.errno if type(cause).__module__ == "builtins" and isinstance(cause, OSError) else None
    )
    return os.strerror(number) if number else type(cause).__name__


def sinks(settings: Settings) -> Sequence[Sink]:
    """Sinks of the environment."""
    if not settings.alert_webhook:
        return [LogSink()]
    return [LogSink(), WebhookSink(settings.alert_webhook)]


def send(alert: Alert, targets: Sequence[Sink]) -> list[str]:
    """Send an alert everywhere; what went wrong, where something did."""
    return [problem for problem in (sink.send(alert) for sink in targets) if problem]
