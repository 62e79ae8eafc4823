"""What a manifest says follows from the inputs; names of a run are checked before any work."""

import pytest

from contracts.digest import document_digest
from contracts.errors import ContractError
from contracts.tape import SeedBundle, tape_id, tape_recipe
from contracts.tape_defaults import default_profile
from islandflow_resources.tape_inputs import identity_of, tape_inputs
from tests.islandflow_resources.plain_tape import plain_spec
from tests.islandflow_resources.tape_tampering import BUNDLE, inputs_of, written

SPEC = plain_spec(symbols=1, seconds=5)


def made(run_name="a run", bundle=BUNDLE, **names):
    return tape_inputs(default_profile(1), SPEC, bundle, "1", run_name, **names)


def test_a_tape_is_named_after_its_recipe():
    inputs = made()
    assert inputs.tape_id == tape_id(tape_recipe(SPEC, BUNDLE.seed, "1"))
    assert inputs.run_id == f"run-{inputs.tape_id}"
    assert inputs.profile.profile_hash == document_digest(default_profile(1).document())


def test_other_names_of_the_seed_make_another_tape():
    other = SeedBundle(seed=BUNDLE.seed, namespace="phase-03", partition="market")
    assert made(bundle=other).tape_id != made().tape_id
    assert made("another").tape_id == made().tape_id


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"run_name": ""}, "/run_name"),
        ({"run_name": " x"}, "/run_name"),
        ({"run_name": "a\nb"}, "/run_name"),
        ({"run_name": "x" * 201}, "/run_name"),
        ({"run_id": "Run 1"}, "/run_id"),
        ({"run_id": ""}, "/run_id"),
        ({"scenario_id": "../up"}, "/scenario_id"),
    ],
)
def test_a_name_that_no_run_can_have_is_refused_by_pointer(given, pointer):
    with pytest.raises(ContractError) as caught:
        made(**given)
    assert caught.value.code.startswith("TAPE_RUN_VALUE_")
    assert [problem.loc for problem in caught.value.problems] == [pointer]


def test_the_identity_of_a_manifest_is_that_of_its_inputs(tmp_path):
    inputs = inputs_of(SPEC, run_id="one", scenario_id="calm")
    manifest = written(tmp_path / "root", spec=SPEC, inputs=inputs).manifest
    assert identity_of(manifest) == inputs.identity()
    assert manifest.is_sealed
    assert manifest.parameter_snapshot_hash == document_digest(inputs.snapshot.document())
