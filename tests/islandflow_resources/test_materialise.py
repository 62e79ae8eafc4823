"""What the making of datasets says of the environment that makes them."""

import pytest

from contracts.errors import ConfigurationError
from islandflow_resources import materialise


def test_provenance_names_the_versions_of_what_computes():
    told = materialise.provenance("run")
    assert told["libraries"].keys() == {"islandflow", "numba", "numpy", "pyarrow"}


def test_an_environment_that_lacks_a_library_is_told_with_its_place_and_what_to_do(monkeypatch):
    monkeypatch.setattr(materialise, "_LIBRARIES", ("numpy", "islandflow-of-tomorrow"))
    with pytest.raises(ConfigurationError) as caught:
        materialise.provenance("run")
    assert caught.value.code == "LIBRARY_NOT_INSTALLED"
    assert "islandflow-of-tomorrow" in caught.value.message
    assert "make setup" in caught.value.hints[0]
