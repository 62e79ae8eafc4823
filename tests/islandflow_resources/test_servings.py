"""Servings: their pipeline written out, and refused where the two do not go together."""

import json

import pytest

from contracts.errors import ContractError, NotFoundError
from contracts.experiment import load_serving
from contracts.pipeline import PipelineSpec
from islandflow_resources.pipelines import ready_pipeline, register_pipeline
from islandflow_resources.servings import ready_serving, register_serving, registered_serving
from tests.islandflow_resources.books import embedded, grid_document
from tests.islandflow_resources.pipelines import pipeline, pipeline_document


@pytest.fixture
def place(tmp_path):
    return embedded(tmp_path)


def serving(**changes):
    written = {"name": "quiet", "version": "0.1", "pipeline": pipeline_document(), **changes}
    return load_serving(json.dumps(written))


def test_a_serving_is_registered_with_its_pipeline_written_out(place):
    ready = ready_pipeline(*place, pipeline())
    register_pipeline(*place, ready)
    named = ready_serving(*place, serving(pipeline="quiet"))
    inline = ready_serving(*place, serving())
    assert named.key == inline.key
    assert isinstance(named.spec.pipeline, PipelineSpec)
    assert named.pipeline == ready
    entry = register_serving(*place, named)
    assert (entry.key, entry.new) == (named.key, True)
    assert not register_serving(*place, inline).new
    for name in ("quiet", named.key):
        assert registered_serving(place[1], name) == named.spec
    with pytest.raises(NotFoundError, match="SERVING_NOT_REGISTERED"):
        registered_serving(place[1], "noisy")


def test_the_dataset_of_a_serving_has_its_scoring_and_the_pipeline_s_grid(place):
    scoring = {"zscore_window_bins": 30, "zscore_min_periods": 10}
    spec = serving(scoring=scoring, pipeline=pipeline_document(pipeline={"tau_jerk": 7}))
    ready = ready_serving(*place, spec)
    runtime = ready.config.runtime_config
    assert (runtime.flow_zscore_window_bins, runtime.tau_jerk) == (30, 7)
    assert ready.pipeline.config.runtime_config.flow_zscore_window_bins == 20
    assert ready_serving(*place, ready.spec) == ready


@pytest.mark.parametrize(
    ("changes", "code", "loc"),
    [
        ({"pipeline": "nosuch"}, "PIPELINE_NOT_REGISTERED", "/pipeline"),
        (
            {"pipeline": pipeline_document(capture={"tape": "nosuch"})},
            "TAPE_NOT_REGISTERED",
            "/pipeline/capture/tape",
        ),
        ({"projection": {"horizons_ms": [150]}}, "SERVING_HORIZON", "/projection/horizons_ms/0"),
        (
            {"pipeline": pipeline_document(config=grid_document(symbol="ESH6"))},
            "INSTRUMENT_LOCKED",
            "/pipeline/runtime_config/symbol",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_with_its_place(place, changes, code, loc):
    with pytest.raises(ContractError) as caught:
        ready_serving(*place, serving(**changes))
    assert (caught.value.code, caught.value.loc) == (code, loc)
