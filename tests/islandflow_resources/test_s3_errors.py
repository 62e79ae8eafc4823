"""Which answers of a store are worth another attempt, and what is said when attempts end."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from islandflow_resources.s3_errors import given_up, is_skewed, transient


def answer(status, code="", ahead=timedelta(0), dated=True):
    """An error of the moment at which it is asked for."""

    def made():
        date = format_datetime(datetime.now(UTC) + ahead, usegmt=True) if dated else "soon"
        metadata = {"HTTPStatusCode": status, "HTTPHeaders": {"date": date}}
        return ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, "HeadObject")

    return made


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (answer(500), True),
        (answer(503, "SlowDown"), True),
        (answer(507), True),
        (answer(409), True),
        (answer(400, "BadDigest"), True),
        (answer(403, "RequestTimeTooSkewed"), True),
        (answer(403, "403", timedelta(hours=1)), True),
        (answer(403, "403", timedelta(hours=-1)), True),
        (answer(403, "AccessDenied", timedelta(minutes=10)), False),
        (answer(403, "AccessDenied", dated=False), False),
        (answer(404, "NoSuchKey", timedelta(hours=1)), False),
        (answer(412), False),
        (lambda: EndpointConnectionError(endpoint_url="http://x"), True),
        (lambda: ValueError("ours"), False),
    ],
)
def test_what_may_pass_is_tried_again(error, again):
    assert transient(error()) is again


@pytest.mark.parametrize(
    ("error", "code", "hint"),
    [
        (answer(403, "403", timedelta(days=1)), "CLOCK_SKEWED", "set the clock"),
        (answer(507, "XMinioStorageFull"), "STORE_FULL", "make room"),
        (answer(503, "SlowDown"), "STORE_UNAVAILABLE", "start the object store"),
        (
            lambda: EndpointConnectionError(endpoint_url="http://x"),
            "STORE_UNAVAILABLE",
            "start the",
        ),
    ],
)
def test_the_last_answer_says_what_to_do(error, code, hint):
    said = given_up("tried twice", error(), "s3://x/y")
    assert (said.code, said.loc, said.retryable) == (code, "s3://x/y", True)
    assert said.problems[0].hints[0].startswith(hint)


def test_only_refusals_are_blamed_on_the_clock():
    assert not is_skewed(answer(500, "", timedelta(days=1))())
