"""The error tree: what an error says, what may be retried, and that it crosses processes."""

import copy
import multiprocessing
import pickle

import pytest

from contracts import errors
from contracts.errors import ContractError, IslandflowError, Problem, UnavailableError


def every_class(cls=IslandflowError):
    yield cls
    for child in cls.__subclasses__():
        yield from every_class(child)


OWN = sorted(
    (cls for cls in every_class() if cls.__module__ == errors.__name__),
    key=lambda cls: cls.__name__,
)


def example(cls):
    others = (Problem("SECOND", "also wrong", "/b", ("mend b",)), Problem("THIRD", "and this"))
    return cls("FIRST", "cannot do it: a is 1", "/a", ("write 2", "or 3"), others)


def raise_in_process(cls):
    raise example(cls)


def test_a_problem_reads_as_code_place_sentence_and_hint():
    assert str(Problem("A", "b is wrong", "/b", ("write c", "or d"))) == (
        "A at /b: b is wrong (hint: write c)"
    )
    assert str(Problem("A", "b is wrong")) == "A: b is wrong"


@pytest.mark.parametrize("cls", OWN)
def test_an_error_says_every_problem_and_gives_the_first(cls):
    error = example(cls)
    assert str(error) == (
        "FIRST at /a: cannot do it: a is 1 (hint: write 2); "
        "SECOND at /b: also wrong (hint: mend b); THIRD: and this"
    )
    assert (error.code, error.message, error.loc, error.hints) == (
        "FIRST",
        "cannot do it: a is 1",
        "/a",
        ("write 2", "or 3"),
    )
    assert len(error.problems) == 3


@pytest.mark.parametrize("cls", OWN)
def test_an_error_survives_pickling_and_copying_whole(cls):
    error = example(cls)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301
        assert type(twin) is cls
        assert twin.problems == error.problems
        assert str(twin) == str(error)


def test_an_error_arrives_whole_from_another_process():
    with (
        multiprocessing.get_context("spawn").Pool(1) as pool,
        pytest.raises(ContractError) as caught,
    ):
        pool.apply(raise_in_process, (ContractError,))
    assert caught.value.problems == example(ContractError).problems


def test_only_what_is_away_for_now_may_be_tried_again():
    retryable = {cls for cls in OWN if cls.retryable}
    assert retryable == set(every_class(UnavailableError))
    assert {cls.__name__ for cls in retryable} == {
        "UnavailableError",
        "StoreUnavailableError",
        "DatabaseUnavailableError",
        "ClusterUnavailableError",
    }


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        (errors.ContractError, ValueError),
        (errors.ConfigurationError, ValueError),
        (errors.NotFoundError, LookupError),
        (errors.ComputeError, ArithmeticError),
        (errors.UnavailableError, ConnectionError),
    ],
)
def test_an_error_is_also_what_python_calls_it(cls, builtin):
    assert issubclass(cls, builtin)
