"""What Dagster really does with each kind of error, on each of its retry paths."""

from typing import Any

import dagster as dg
import pydantic
import pytest
from dagster._core.events import RunFailureReason
from dagster._core.execution.retries import auto_reexecution_should_retry_run

from contracts.errors import ContractError, Problem, StoreUnavailableError
from islandflow_resources import failures
from islandflow_resources.failures import PERMANENT_TAG, STEP_RETRIES, reported


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    overrides = {
        "telemetry": {"enabled": False},
        "run_retries": {
            "enabled": True,
            "max_retries": 2,
            "retry_on_asset_or_op_failure": True,
        },
    }
    with dg.instance_for_test(
        temp_dir=str(tmp_path_factory.mktemp("dagster")), overrides=overrides
    ) as made:
        yield made


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(failures, "FIRST_PAUSE_S", 0.01)


def run(instance, *errors):
    """Materialise an asset whose attempts raise these errors in turn; result and attempts."""
    left = list(errors)
    attempts = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=5))
    def thing(context: dg.AssetExecutionContext) -> None:
        with reported(context):
            attempts.append(context.retry_number)
            if left:
                raise left.pop(0)

    result = dg.materialize([thing], instance=instance, raise_on_error=False)
    return result, attempts


def away():
    return StoreUnavailableError("STORE_UNAVAILABLE", "write a: tried 9 times in 30.0 s")


def failure_of(result) -> Any:
    return result.failure_data_for_node("thing")


def test_a_permanent_error_is_attempted_once_in_spite_of_a_retry_policy(instance):
    other = Problem("SPEC_FIELD_UNKNOWN", "no such field", "/params/x")
    error = ContractError("SPEC_INVALID", "sigma is negative", "/sigma", ("use 1",), (other,))
    result, attempts = run(instance, error)
    assert attempts == [0]
    assert not result.success
    data = failure_of(result).user_failure_data
    assert data.description.splitlines() == [str(problem) for problem in error.problems]
    records = data.metadata["problems"].records
    assert [record.data["where"] for record in records] == ["/sigma", "/params/x"]
    assert records[0].data["hint"] == "use 1"
    assert data.metadata["code"].value == "SPEC_INVALID"


def test_a_permanent_error_is_not_repeated_by_run_retries_and_is_marked_for_schedules(instance):
    result, _ = run(instance, ContractError("SPEC_INVALID", "sigma is negative"))
    stored = instance.get_run_by_id(result.run_id)
    assert stored.tags[PERMANENT_TAG] == "SPEC_INVALID"
    reason = RunFailureReason.STEP_FAILURE
    assert not auto_reexecution_should_retry_run(instance, stored, reason)


def test_an_unclassified_error_would_be_repeated_by_run_retries(instance):
    """The other side of the test above: it is the mark that stops the daemon."""
    result, attempts = run(instance, *[KeyError("a bug")] * 9)
    stored = instance.get_run_by_id(result.run_id)
    assert len(attempts) == 6
    assert PERMANENT_TAG not in stored.tags
    assert auto_reexecution_should_retry_run(instance, stored, RunFailureReason.STEP_FAILURE)


def test_a_retryable_error_is_repeated_until_it_succeeds(instance):
    result, attempts = run(instance, away(), away())
    assert result.success
    assert attempts == [0, 1, 2]


def test_a_retryable_error_that_stays_ends_and_says_what_was_tried(instance):
    result, attempts = run(instance, *[away() for _ in range(20)])
    assert not result.success
    assert attempts == list(range(STEP_RETRIES + 1))
    assert "tried 9 times" in failure_of(result).error.to_string()
    assert PERMANENT_TAG not in instance.get_run_by_id(result.run_id).tags


def test_pauses_grow_from_attempt_to_attempt():
    pauses = [failures.retry_request(number).seconds_to_wait for number in range(3)]
    assert pauses == [0.01, 0.02, 0.04]


def test_a_document_that_pydantic_refuses_is_a_permanent_error(instance):
    class Spec(pydantic.BaseModel):
        sigma: float

    with pytest.raises(pydantic.ValidationError) as caught:
        Spec.model_validate({"sigma": "much"})
    result, attempts = run(instance, caught.value)
    assert attempts == [0]
    record = failure_of(result).user_failure_data.metadata["problems"].records[0]
    assert (record.data["code"], record.data["where"]) == ("DOCUMENT_INVALID", "/sigma")


def test_outside_a_stored_run_the_error_is_translated_all_the_same():
    context = dg.build_asset_context()
    with pytest.raises(dg.Failure) as caught, reported(context):
        raise ContractError("SPEC_INVALID", "sigma is negative")
    assert caught.value.allow_retries is False
