"""docker-compose.yml and deploy/ against the compose schema, the settings table and each other.

No container runs here: the images' own behaviour is beyond these tests. What the compose file says
of keys and roles is put to a real object store and a real PostgreSQL.
"""

import functools
import importlib.resources
import json
import os
import re
import subprocess
from pathlib import Path

import boto3
import check_jsonschema.builtin_schemas
import psycopg
import pytest
from botocore.exceptions import ClientError
from jsonschema.validators import validator_for

from islandflow_jobs.instance import TEMPLATES
from islandflow_resources.instrument_lock import DEFAULT_LOCK
from islandflow_resources.settings import SETTINGS, load_settings
from islandflow_resources.signatures import Keyring
from tests import deployment
from tests.deployment import HOLDS, OUR_SERVICES, ROOT, document, variables_of_dagster
from tests.seaweed import run_s3_server

SCHEMA = (
    importlib.resources.files(check_jsonschema.builtin_schemas) / "vendor" / "compose-spec.json"
)
TAKES_OVER = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}


@pytest.fixture(scope="module")
def compose():
    return deployment.compose()


@pytest.fixture(scope="module")
def started():
    """The compose file as the example's settings make it."""
    return deployment.started()


@pytest.fixture(scope="module")
def schema():
    """The validator of the compose schema, of the draft the schema names."""
    text = json.loads(SCHEMA.read_text())
    return validator_for(text)(text)


def test_the_compose_file_fits_the_compose_schema(compose, started, schema):
    for one in (compose, started):
        assert [error.message for error in schema.iter_errors(one)] == []


def test_the_compose_schema_refuses_what_compose_would_refuse(compose, schema):
    broken = compose | {"services": {"code": {"imagee": "islandflow"}}}
    assert not schema.is_valid(broken)


@pytest.mark.parametrize("service", OUR_SERVICES)
def test_a_service_is_given_what_it_needs_and_nothing_else(compose, service):
    assert set(compose["services"][service]["environment"]) == HOLDS[service]


def test_every_setting_is_given_to_a_service():
    given = {name for names in HOLDS.values() for name in names if name.startswith("ISLANDFLOW_")}
    assert given == {row.name for row in SETTINGS}


@pytest.mark.parametrize("service", ["provision", "code", "serve"])
def test_what_a_service_is_given_are_settings_of_the_services_profile(started, service):
    settings = load_settings(started["services"][service]["environment"])
    assert settings.profile == "services"
    assert (settings.labels_s3 is not None) == (service == "code")
    assert bool(settings.serve_token) == (service == "serve")


@pytest.mark.parametrize("service", ["code", "webserver", "daemon"])
def test_a_service_is_given_every_variable_of_its_dagster_configuration(compose, service):
    wanted = variables_of_dagster(document("deploy/dagster.yaml"))
    assert {"DAGSTER_PG_HOST", "ISLANDFLOW_S3_BUCKET"} <= wanted
    assert wanted <= set(compose["services"][service]["environment"])


def test_what_is_signed_by_the_example_is_trusted_by_it(started):
    signing, serving = (
        Keyring.of(
            load_settings({k: str(v) for k, v in started["services"][one]["environment"].items()})
        )
        for one in ("code", "serve")
    )
    assert [*serving.trusted().values()] == [signing.public_key()]


def test_every_variable_of_the_compose_file_is_explained_in_the_example():
    names, with_value = deployment.variables_of((ROOT / "docker-compose.yml").read_text())
    text = (ROOT / "deploy/.env.example").read_text()
    explained = set(re.findall(r"^#?([A-Z0-9_]+)=", text, re.MULTILINE))
    assert names == explained
    assert names == with_value, "a variable with neither a default nor a message"


def test_no_secret_stands_in_the_compose_file(compose):
    secrets = re.compile(r"KEY|PASSWORD|TOKEN|WEBHOOK|TRACKING")
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if secrets.search(name):
                # a default may only be empty
                assert re.match(r"\$\{[A-Z0-9_]+(:\?[^}]+|:-)?\}$", value), name
    (identities,) = compose["configs"].values()
    for key in re.findall(r'"(?:accessKey|secretKey)": "([^"]*)"', identities["content"]):
        assert re.fullmatch(r"\$\{[A-Z0-9_]+\}", key)


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


def test_every_container_is_confined_and_bounded(compose):
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert {"cpus", "mem_limit", "pids_limit"} <= set(service), name
        # An image of somebody else's starts as root and takes its volume over.
        assert set(service.get("cap_add", ())) == (set() if name in OUR_SERVICES else TAKES_OVER)
    written = {name for name, item in compose["services"].items() if not item.get("read_only")}
    assert written == {"object-store"}  # compose writes its identities into it


def test_every_image_names_a_version(started):
    images = [service["image"] for service in started["services"].values()]
    images += re.findall(
        r"^ARG PYTHON_IMAGE=(\S+)", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE
    )
    assert len(images) == len(started["services"]) + 1
    assert [image for image in images if not re.search(r":\d+\.\d", image)] == []


def test_the_image_holds_every_file_that_the_project_looks_for_beside_its_packages():
    lines = (ROOT / "deploy/Dockerfile").read_text().splitlines()
    beside = [line.split()[1:] for line in lines if "site-packages/" in line and "COPY" in line]
    copied = {ROOT / name for *names, _ in beside for name in names}
    assert {Path(path) for path in (*TEMPLATES.values(), DEFAULT_LOCK)} <= copied
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sources = {
        word
        for line in lines
        if line.startswith("COPY") and "--from" not in line
        for word in line.split()[1:-1]
    }
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    assert {word.split("/")[0] for word in sources - {"${LOCK}"}} | {"deploy"} == allowed


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


def test_the_code_location_has_one_name_everywhere(compose):
    local, deployed = document("workspace.yaml"), document("deploy/workspace.yaml")
    (module,) = local["load_from"]
    (server,) = deployed["load_from"]
    assert module["python_module"]["location_name"] == "islandflow"
    assert server["grpc_server"]["location_name"] == "islandflow"
    assert server["grpc_server"]["host"] in compose["services"]


def test_each_holder_of_keys_may_do_its_work_in_the_store_and_no_more(started, tmp_path):
    (identities,) = started["configs"].values()
    (tmp_path / "s3").mkdir()
    with run_s3_server(tmp_path / "s3", identities["content"]) as server:

        @functools.cache
        def client(access_key, secret_key):
            return boto3.client(
                "s3",
                endpoint_url=server.endpoint,
                region_name="us-east-1",
                aws_access_key_id=access_key,
                aws_secret_access_key=secret_key,
            )

        def may(service, pair, what, **rest):
            given = started["services"][service]["environment"]
            try:
                getattr(client(*(given[name] for name in pair)), what)(Bucket="islandflow", **rest)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 403:
                    raise
                return False
            return True

        own = "ISLANDFLOW_S3_ACCESS_KEY", "ISLANDFLOW_S3_SECRET_KEY"
        labels = "ISLANDFLOW_S3_LABELS_ACCESS_KEY", "ISLANDFLOW_S3_LABELS_SECRET_KEY"
        logs = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
        bar, label, log = ({"Key": key} for key in ("scenarios/a", "labels/a", "compute-logs/a"))
        assert not may("code", own, "create_bucket")
        assert may("provision", own, "create_bucket")
        for service in ("code", "serve"):
            assert may(service, own, "head_bucket")
            assert may(service, own, "list_objects_v2")
            assert may(service, own, "put_object", Body=b"1", IfNoneMatch="*", Key=f"{service}/a")
            assert not may(service, own, "delete_bucket")
        assert may("code", labels, "put_object", Body=b"1", **label)
        assert may("code", labels, "get_object", **label)
        assert may("code", labels, "list_objects_v2", Prefix="labels/")
        assert not may("code", labels, "put_object", Body=b"1", **bar)
        assert not may("code", labels, "list_objects_v2", Prefix="code/")
        assert may("code", logs, "put_object", Body=b"1", **log)
        assert may("webserver", logs, "get_object", **log)
        assert may("webserver", logs, "list_objects_v2", Prefix="compute-logs/")
        assert not may("webserver", logs, "put_object", Body=b"1", **log)
        assert not may("webserver", logs, "get_object", **label)
        assert not may("webserver", logs, "list_objects_v2")


def test_each_role_of_the_database_sees_its_own_database_only(started, postgres_server):
    environment = started["services"]["database"]["environment"]
    made = subprocess.run(
        ["sh", ROOT / "deploy/postgres-roles.sh"],
        env={
            "PATH": os.pathsep.join([postgres_server.binaries, "/usr/bin", "/bin"]),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(postgres_server.port),
            "PGUSER": postgres_server.user,
            "PGPASSWORD": postgres_server.password,
            **{k: v for k, v in environment.items() if not k.startswith("POSTGRES_")},
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (made.returncode, made.stderr) == (0, "")
    code = started["services"]["code"]["environment"]
    registry = re.fullmatch(
        r"postgresql\+psycopg://(\w+):([^@]+)@database:5432/(\w+)", code["ISLANDFLOW_DATABASE_URL"]
    )
    dagster = code["DAGSTER_PG_USER"], code["DAGSTER_PG_PASSWORD"], code["DAGSTER_PG_DB"]

    def login(user, password, database):
        return psycopg.connect(
            host="127.0.0.1",
            port=postgres_server.port,
            user=user,
            password=password,
            dbname=database,
        )

    try:
        with login(*registry.groups()) as own:
            own.execute("CREATE TABLE runs (id integer)")
        # Whoever makes a table of Dagster's, it is Dagster's.
        with login(*registry.groups()[:2], dagster[2]) as shared:
            shared.execute("CREATE TABLE runs (id integer)")
        with login(*dagster) as storage:
            storage.execute("DROP TABLE runs")
            assert not storage.execute(
                "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
            ).fetchone()[0]
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            login(*dagster[:2], registry[3])
    finally:
        for name in (registry[3], dagster[2]):
            postgres_server.drop_database(name)
        postgres_server.drop_roles("islandflow", "dagster")


def test_a_container_starts_with_the_kernels_of_its_image_and_keeps_its_own(tmp_path):
    image, home = tmp_path / "image", tmp_path / "home"
    for digest in ("new", "old"):
        (image / digest / "engine").mkdir(parents=True)
        (image / digest / "engine" / "kernel.nbi").write_text("image")
    (home / "kernels" / "old").mkdir(parents=True)
    variables = {
        "PATH": os.environ["PATH"],
        "KERNELS": str(image),
        "ISLANDFLOW_HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "ISLANDFLOW_EXECUTOR": "ray",
        "ISLANDFLOW_RAY_ADDRESS": "auto",
    }
    command = [
        "sh",
        ROOT / "deploy/entrypoint.sh",
        "sh",
        "-c",
        'test -d "$TMPDIR" && echo "$1"',
        "-",
        "a b",
    ]
    for _ in range(2):
        ran = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
        assert ran.stdout == "a b\n"
        kept = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
        assert kept == {"kernels/new/engine/kernel.nbi"}
        assert not [path for path in (home / "kernels").iterdir() if path.name.startswith(".")]
