"""Why a run failed, in a line for each problem, without Dagster's pages."""

import dagster as dg

from islandflow_jobs.run_failures import reasons

INSTANCE = dg.DagsterInstance


def reasons_of(*assets):
    with INSTANCE.ephemeral() as instance:
        result = dg.materialize(
            list(assets), instance=instance, raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )  # fmt: skip
        return reasons(instance, result.run_id)


@dg.asset
def whole() -> None:
    """Goes through."""


@dg.asset
def refusing() -> None:
    """Says two things."""
    raise dg.Failure("A_CODE at here: one\nB_CODE at there: two")


@dg.asset
def breaking() -> None:
    """Breaks inside."""
    try:
        raise ValueError("the\ninner reason")
    except ValueError as error:
        raise RuntimeError("the outer one") from error


@dg.asset(deps=[refusing])
def waiting() -> None:
    """Is never reached."""


@dg.asset(check_specs=[dg.AssetCheckSpec("holds", asset="checked", blocking=True)])
def checked() -> dg.MaterializeResult:
    """Fails its blocking check."""
    return dg.MaterializeResult(
        check_results=[dg.AssetCheckResult(passed=False, description="it does not")]
    )


def test_a_run_that_went_through_has_no_reasons():
    assert reasons_of(whole) == []


def test_every_problem_of_a_refusal_is_a_line_and_who_waited_says_nothing():
    assert reasons_of(refusing, waiting) == ["A_CODE at here: one", "B_CODE at there: two"]


def test_an_unforeseen_error_is_told_by_its_innermost_cause_on_one_line():
    assert reasons_of(breaking) == ["breaking: ValueError: the inner reason"]


def test_a_failed_blocking_check_is_told_by_its_description():
    assert reasons_of(checked) == ["checked: holds: it does not"]
