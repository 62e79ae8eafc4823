"""Waiting for what is away, and the words when it stays away."""

import pytest

from contracts.errors import StoreUnavailableError
from islandflow_resources.retries import Patience, patiently

QUICK = Patience(total_s=0.3, first_s=0.01, longest_s=0.05)


class Server:
    """Fails with the given errors, one after the other, then answers."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.asked = 0

    def __call__(self):
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def ask(server):
    return patiently(
        server,
        what="ask the server",
        transient=lambda error: isinstance(error, TimeoutError),
        give_up=lambda tried, _: StoreUnavailableError("AWAY", tried),
        patience=QUICK,
    )


def test_a_transient_error_is_waited_out():
    server = Server(TimeoutError(), TimeoutError())
    assert ask(server) == "answer"
    assert server.asked == 3


def test_a_permanent_error_passes_at_once():
    server = Server(TimeoutError(), KeyError("gone"))
    with pytest.raises(KeyError):
        ask(server)
    assert server.asked == 2


def test_patience_ends_and_says_what_was_tried_how_often():
    server = Server(*[TimeoutError("no answer")] * 1000)
    with pytest.raises(StoreUnavailableError) as caught:
        ask(server)
    assert f"ask the server: tried {server.asked} times" in caught.value.message
    assert "no answer" in caught.value.message
    assert isinstance(caught.value.__cause__, TimeoutError)
    assert 2 <= server.asked < 1000


def test_every_wait_is_logged(caplog):
    ask(Server(TimeoutError("no answer")))
    assert "attempt 1 failed (no answer), again in" in caplog.text
