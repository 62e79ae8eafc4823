"""docker-compose.yml and deploy/ against the compose schema, the settings table and each other.

No container runs here: the images' own behaviour is beyond these tests.
"""

import importlib.resources
import json
import re
from pathlib import Path

import check_jsonschema.builtin_schemas
import pytest
import yaml
from jsonschema.validators import validator_for

from islandflow_resources.settings import SETTINGS

ROOT = Path(__file__).parents[1]
OUR_SERVICES = ("provision", "code", "webserver", "daemon")
SCHEMA = (
    importlib.resources.files(check_jsonschema.builtin_schemas) / "vendor" / "compose-spec.json"
)


def document(name):
    return yaml.safe_load((ROOT / name).read_text())


def variables_of_dagster(node):
    """Every name under an ``env:`` key of a Dagster configuration."""
    if isinstance(node, dict):
        own = {node["env"]} if isinstance(node.get("env"), str) else set()
        return own.union(*(variables_of_dagster(child) for child in node.values()))
    if isinstance(node, list):
        return set().union(*(variables_of_dagster(child) for child in node))
    return set()


def interpolated(text):
    """Names and whether each has a value of its own or stops with a message when it is missing."""
    found = re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)(:[-?])?", text)
    return {name for name, _ in found}, {name for name, own in found if own}


@pytest.fixture(scope="module")
def compose():
    return document("docker-compose.yml")


@pytest.fixture(scope="module")
def schema():
    """The validator of the compose schema, of the draft the schema names."""
    text = json.loads(SCHEMA.read_text())
    return validator_for(text)(text)


def test_the_compose_file_fits_the_compose_schema(compose, schema):
    errors = [error.message for error in schema.iter_errors(compose)]
    assert errors == []


def test_the_compose_schema_refuses_what_compose_would_refuse(compose, schema):
    broken = compose | {"services": {"code": {"imagee": "islandflow"}}}
    assert not schema.is_valid(broken)


@pytest.mark.parametrize("service", OUR_SERVICES)
def test_a_service_is_given_every_setting_and_no_other(compose, service):
    given = {
        name for name in compose["services"][service]["environment"] if name[:11] == "ISLANDFLOW_"
    }
    assert given == {row.name for row in SETTINGS}


@pytest.mark.parametrize("service", OUR_SERVICES)
def test_a_service_is_given_every_variable_of_its_dagster_configuration(compose, service):
    wanted = variables_of_dagster(document("deploy/dagster.yaml"))
    assert {"DAGSTER_PG_HOST", "ISLANDFLOW_S3_BUCKET"} <= wanted
    assert wanted <= set(compose["services"][service]["environment"])


def test_every_variable_of_the_compose_file_is_explained_in_the_example():
    names, with_value = interpolated((ROOT / "docker-compose.yml").read_text())
    example = (ROOT / "deploy/.env.example").read_text()
    explained = set(re.findall(r"^#?([A-Z0-9_]+)=", example, re.MULTILINE))
    assert names == explained
    assert names == with_value, "a variable with neither a default nor a message"


def test_no_secret_stands_in_the_compose_file(compose):
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if "KEY" in name or "PASSWORD" in name:
                # a default may only be empty
                assert re.match(r"\$\{[A-Z0-9_]+(:\?[^}]+|:-)?\}$", value), name


def test_every_port_is_published_on_loopback_only(compose):
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_lasting_service_says_whether_it_is_healthy(compose):
    lasting = {name: item for name, item in compose["services"].items() if name != "provision"}
    assert [name for name, item in lasting.items() if "healthcheck" not in item] == []
    waits = [item["depends_on"] for item in compose["services"].values() if "depends_on" in item]
    known = set(compose["services"])
    assert all(set(wait) <= known for wait in waits)


@pytest.mark.parametrize("name", ["dagster.yaml", "deploy/dagster.yaml"])
def test_a_dagster_configuration_is_accepted_by_dagster(name, tmp_path):
    from dagster._core.instance.config import dagster_instance_config

    (tmp_path / "dagster.yaml").write_bytes((ROOT / name).read_bytes())
    config, _ = dagster_instance_config(str(tmp_path))
    assert config["telemetry"] == {"enabled": False}
    assert config["nux"] == {"enabled": False}


def test_both_dagster_configurations_limit_and_retry_alike():
    embedded, services = document("dagster.yaml"), document("deploy/dagster.yaml")
    assert embedded.keys() == services.keys() - {"storage", "compute_logs"}
    assert all(services[name] == embedded[name] for name in embedded)


def test_the_code_location_has_one_name_everywhere():
    local, deployed = document("workspace.yaml"), document("deploy/workspace.yaml")
    (module,) = local["load_from"]
    (server,) = deployed["load_from"]
    assert module["python_module"]["location_name"] == "islandflow"
    assert server["grpc_server"]["location_name"] == "islandflow"
    assert server["grpc_server"]["host"] in document("docker-compose.yml")["services"]
