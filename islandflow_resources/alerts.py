"""Where alerts go: the log always, and a webhook where the environment names one.

What raises them is ``islandflow_jobs.alert_sensors``. A new sink is one class with ``send``.
"""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

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
    """Posts alerts as JSON, ``{"kind", "subject", "text"}``."""

    address: str

    def send(self, alert: Alert) -> str:
        """Post the alert: one attempt of a few seconds, since others wait behind it."""
        body = {"kind": alert.kind, "subject": alert.subject, "text": alert.text}
        request = urllib.request.Request(
            self.address,
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return "" if answer.status < 300 else f"the webhook answered {answer.status}"
        except (urllib.error.URLError, OSError, ValueError) as error:
            # The address may hold a secret: only the reason is told.
            return f"the webhook did not take the alert: {getattr(error, 'reason', error)}"


def sinks(settings: Settings) -> Sequence[Sink]:
    """Sinks of the environment."""
    if not settings.alert_webhook:
        return [LogSink()]
    return [LogSink(), WebhookSink(settings.alert_webhook)]


def send(alert: Alert, targets: Sequence[Sink]) -> list[str]:
    """Send an alert everywhere; what went wrong, where something did."""
    return [problem for problem in (sink.send(alert) for sink in targets) if problem]
