"""The manifests of deploy/kubernetes against Kubernetes' schemas, the compose file, each other.

No cluster runs here. There is no schema of the RayCluster among the packages: its pods are held
against Kubernetes' schema of pods, the rest of it against the fields that KubeRay's API has.
"""

import importlib.resources
import json
import re
from functools import cache

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.retrieval import to_cached_resource

from tests import deployment
from tests.deployment import HOLDS, OUR_SERVICES, ROOT, document, variables_of_dagster

VERSIONS = ("1.30.0", "1.37.0")
FOLDER = ROOT / "deploy" / "kubernetes"
CLUSTER_FIELDS = {
    "rayVersion", "enableInTreeAutoscaling", "headGroupSpec", "workerGroupSpecs",
}  # fmt: skip
GROUP_FIELDS = {
    "rayStartParams", "template", "groupName", "replicas", "minReplicas", "maxReplicas",
}  # fmt: skip
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def manifests():
    """Every object, with the file it stands in."""
    files = sorted(FOLDER.glob("*.yaml"))
    return [(file.name, one) for file in files for one in yaml.safe_load_all(file.read_text())]


OBJECTS = manifests()
IDS = [f"{one['kind']}-{one['metadata']['name']}" for _, one in OBJECTS]
PLAIN = [one for _, one in OBJECTS if one["kind"] != "RayCluster"]
RAY = next(one for _, one in OBJECTS if one["kind"] == "RayCluster")
GROUPS = [RAY["spec"]["headGroupSpec"], *RAY["spec"]["workerGroupSpecs"]]


def workloads():
    """Name and pod template of everything that runs."""
    found = {
        one["metadata"]["name"]: one["spec"]["template"]
        for one in PLAIN
        if one["kind"] in ("Deployment", "Job")
    }
    return found | {f"ray-{group.get('groupName', 'head')}": group["template"] for group in GROUPS}


WORKLOADS = workloads()
CONFIG = next(one["data"] for one in PLAIN if one["kind"] == "ConfigMap")


def containers(name):
    spec = WORKLOADS[name]["spec"]
    return spec.get("initContainers", []) + spec["containers"]


def environment(name):
    """What a container sees if the Secret is made from the example."""
    secret, seen = deployment.example(), {}
    for row in WORKLOADS[name]["spec"]["containers"][0]["env"]:
        if "value" in row:
            seen[row["name"]] = re.sub(r"\$\((\w+)\)", lambda one: seen[one[1]], row["value"])
            continue
        ((kind, ref),) = row["valueFrom"].items()
        assert ref["name"] == "islandflow"
        seen[row["name"]] = {"configMapKeyRef": CONFIG, "secretKeyRef": secret}[kind][ref["key"]]
    return seen


@cache
def schemas(version):
    """The schemas of a version of Kubernetes by the last part of their addresses."""
    folder = importlib.resources.files(kubernetes_validate) / "kubernetes-json-schema"
    strict = folder / f"v{version}-local-strict"

    @to_cached_resource()
    def read(address):
        return (strict / address.rsplit("/", 1)[-1]).read_text()

    return Registry(retrieve=read)


def schema(name, version=VERSIONS[-1]):
    """The validator of one kind, or of a part of it; it refuses unknown fields."""
    return Draft202012Validator({"$ref": f"{name}.json"}, registry=schemas(version))


def problems(one, version=VERSIONS[-1]):
    group = one["apiVersion"].removesuffix(".k8s.io").replace(".k8s.io/", "/").replace("/", "-")
    return [
        error.message
        for error in schema(f"{one['kind'].lower()}-{group}", version).iter_errors(one)
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_fits_the_schema_of_kubernetes(version):
    assert len(PLAIN) > len(OUR_SERVICES)
    assert [found for one in PLAIN for found in problems(one, version)] == []


def test_the_schema_of_kubernetes_refuses_what_a_cluster_would_refuse():
    job = next(one for one in PLAIN if one["kind"] == "Job")
    broken = job | {"spec": job["spec"] | {"backOffLimit": 6}}
    (found,) = problems(broken)
    assert "backOffLimit" in found


def test_the_ray_cluster_has_fields_of_its_kind_and_pods_that_fit_the_schema():
    assert RAY["apiVersion"] == "ray.io/v1"
    assert set(RAY["spec"]) == CLUSTER_FIELDS
    head, *workers = GROUPS
    pods = schema("podtemplatespec-v1")
    assert set(head) == {"rayStartParams", "template"}
    for group in GROUPS:
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        assert [error.message for error in pods.iter_errors(group["template"])] == []
    for group in workers:
        assert set(group) == GROUP_FIELDS
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        limit = group["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"]
        assert group["rayStartParams"]["num-cpus"] == limit
    broken = {"spec": GROUPS[0]["template"]["spec"] | {"container": []}}
    assert not pods.is_valid(broken)


def test_the_ray_cluster_is_of_the_version_that_its_image_has():
    lock = (ROOT / "deploy/requirements-ray.lock").read_text()
    assert f"\nray=={RAY['spec']['rayVersion']} " in lock
    assert CONFIG["ISLANDFLOW_RAY_ADDRESS"] == f"{RAY['metadata']['name']}-head-svc:6379"
    member = {"islandflow/ray": "member"}
    for name in ("code", "ray-head", "ray-trials"):
        assert member.items() <= WORKLOADS[name]["metadata"]["labels"].items()


def test_every_service_of_ours_is_there_and_every_image_is_that_of_compose():
    started = deployment.started()["services"]
    assert {name for name in WORKLOADS if not name.startswith("ray-")} == set(OUR_SERVICES)
    images = {one["image"] for name in WORKLOADS for one in containers(name)}
    assert images == {started[name]["image"] for name in OUR_SERVICES}


@pytest.mark.parametrize("service", OUR_SERVICES)
def test_a_pod_sees_the_same_settings_as_its_container_of_compose(service):
    seen = environment(service)
    helper = {"REGISTRY_PASSWORD"} & set(seen)  # named in the address of the registry only
    assert set(seen) - helper == HOLDS[service]
    started = deployment.started()["services"][service]["environment"]
    differ = {name for name in HOLDS[service] if seen[name] != str(started[name])}
    assert differ == {"ISLANDFLOW_RAY_ADDRESS"} & HOLDS[service]


@pytest.mark.parametrize("service", OUR_SERVICES)
def test_a_pod_runs_what_its_container_of_compose_runs(service):
    (pod,) = WORKLOADS[service]["spec"]["containers"]
    ours = deployment.compose()["services"][service]
    assert pod.get("command") == ours.get("entrypoint")
    given = pod.get("args")
    if service == "serve":  # other pods call it by other names
        assert given[-6:] == ["--name", "serve", "--name", "serve.islandflow", *given[-2:]]
        given = given[:-6] + given[-2:]
    assert given == ours.get("command")


def test_a_pod_that_reads_a_dagster_configuration_is_given_its_variables():
    wanted = variables_of_dagster(document("deploy/dagster.yaml"))
    for service in ("code", "webserver", "daemon"):
        assert wanted <= set(environment(service))


def test_every_secret_is_a_reference_and_none_stands_in_a_manifest():
    example = deployment.example()
    secret = re.compile(r"KEY|PASSWORD|TOKEN|WEBHOOK|TRACKING")
    rows = [row for name in WORKLOADS for one in containers(name) for row in one.get("env", ())]
    assert any(secret.search(row["name"]) for row in rows)
    for row in rows:
        if secret.search(row["name"]):
            assert "secretKeyRef" in row["valueFrom"], row["name"]
    assert not [name for name in CONFIG if secret.search(name)]
    written = "".join(file.read_text() for file in FOLDER.iterdir())
    values = {value for name, value in example.items() if secret.search(name) and value}
    assert not [one for one in values if len(one) > 10 and one in written]
    assert not [one for one in PLAIN if one["kind"] == "Secret"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_pod_is_confined_as_the_restricted_standard_asks(name):
    spec = WORKLOADS[name]["spec"]
    assert spec["automountServiceAccountToken"] is False
    # Variables such as ISLANDFLOW_…_SERVICE_HOST would be refused as unknown settings.
    assert spec["enableServiceLinks"] is False
    context = spec["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    ids = context["runAsUser"], context["runAsGroup"], context["fsGroup"]
    assert ids == (int(user[1]), int(user[2]), int(user[2]))
    assert all(one["securityContext"] == RESTRICTED for one in containers(name))
    assert not [row for row in spec["volumes"] if "hostPath" in row]
    for volume in spec["volumes"]:
        assert volume.get("emptyDir", {"sizeLimit": ""}).keys() >= {"sizeLimit"}


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_pod_is_bounded_and_says_whether_it_is_healthy(name):
    for one in containers(name):
        assert (
            {"cpu", "memory"}
            == set(one["resources"]["limits"])
            == set(one["resources"]["requests"])
        )
    for one in WORKLOADS[name]["spec"]["containers"]:
        probes = {field for field in one if field.endswith("Probe")}
        assert probes >= ({"livenessProbe"} if name != "provision" else set())
        # Nobody connects to the daemon; it has no port to be ready on.
        assert "readinessProbe" in probes or name in ("provision", "daemon")


def test_services_select_pods_that_are_there_by_ports_that_they_have():
    found = {one["metadata"]["name"]: one["spec"] for one in PLAIN if one["kind"] == "Service"}
    assert set(found) == {"code", "webserver", "serve"}
    (server,) = document("deploy/workspace.yaml")["load_from"]
    assert server["grpc_server"]["host"] in found
    for name, spec in found.items():
        labels = WORKLOADS[name]["metadata"]["labels"]
        assert spec["selector"].items() <= labels.items()
        ports = {row["name"] for row in WORKLOADS[name]["spec"]["containers"][0]["ports"]}
        assert {row["targetPort"] for row in spec["ports"]} <= ports


def test_policies_close_everything_and_open_it_for_components_that_exist():
    policies = {
        one["metadata"]["name"]: one["spec"] for one in PLAIN if one["kind"] == "NetworkPolicy"
    }
    assert policies["deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    text = json.dumps(policies)
    named = set(re.findall(r'"values": \[([^\]]*)\]', text))
    components = {word for row in named for word in re.findall(r"\w+", row)}
    components |= set(re.findall(r'"app.kubernetes.io/component": "(\w+)"', text))
    there = {one["metadata"]["labels"]["app.kubernetes.io/component"] for one in WORKLOADS.values()}
    assert components == there
    # The daemon asks the code server, which alone holds keys of the store.
    stores = policies["object-store"]["podSelector"]["matchExpressions"][0]["values"]
    assert set(stores) == there - {"daemon"}


def test_every_object_is_in_the_namespace_whose_pods_are_restricted():
    (space,) = [one for one in PLAIN if one["kind"] == "Namespace"]
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    others = [one for _, one in OBJECTS if one is not space]
    assert {one["metadata"]["namespace"] for one in others} == {space["metadata"]["name"]}
    assert len(IDS) == len(set(IDS))
