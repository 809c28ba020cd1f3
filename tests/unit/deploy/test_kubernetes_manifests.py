"""The Kubernetes manifests, against the published schemas and against one another; no cluster is needed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from tests.unit.deploy.custom_resources import SCHEMAS
from tests.unit.deploy.manifests import COMPOSE, FOLDER, Document, documents, named, pod_templates

from quetzalcore.autoscaler.provider_settings import KubernetesSettings, read_provider_file
from quetzalcore.cli.secret_files import with_secret_files
from quetzalcore.settings import load_settings

_VERSION = "1.33"
_WORKERS = {"small", "large"}
_IDS = [f"{one['kind']}-{one['metadata']['name']}" for one in documents()]


@pytest.mark.parametrize("document", documents(), ids=_IDS)
def test_every_document_is_what_its_published_schema_allows(document) -> None:
    own = SCHEMAS.get(document["kind"])
    if own:
        jsonschema.Draft202012Validator(own).validate(document)
    else:
        kubernetes_validate.validate(document, _VERSION, strict=True)


@pytest.mark.parametrize("name", sorted(pod_templates()))
def test_pods_that_kuberay_makes_are_what_kubernetes_allows(name) -> None:
    pod = pod_templates()[name]
    document = {"apiVersion": "v1", "kind": "Pod", "spec": pod["spec"]}
    document["metadata"] = {**pod["metadata"], "name": name}
    kubernetes_validate.validate(document, _VERSION, strict=True)


def test_a_misspelt_field_is_found() -> None:
    pod = {**named("Service", "gateway"), "specs": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, _VERSION, strict=True)
    cluster = named("RayCluster", "quetzal")
    cluster["spec"]["workerGroupSpecs"][0]["replica"] = 1
    with pytest.raises(jsonschema.ValidationError, match="replica"):
        jsonschema.Draft202012Validator(SCHEMAS["RayCluster"]).validate(cluster)


@pytest.mark.parametrize("name", sorted(pod_templates()))
def test_every_container_is_bounded_and_cannot_write_to_its_root(name) -> None:
    pod = pod_templates()[name]["spec"]
    for container in pod["containers"]:
        assert set(container["resources"]["limits"]) == {"cpu", "memory"}
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert "privileged" not in container["securityContext"]
        assert {probe for probe in container if probe.endswith("Probe")} == {
            *("startupProbe", "livenessProbe", "readinessProbe"),
        }
    if name not in _WORKERS:
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == 10001


@pytest.mark.parametrize("name", sorted(_WORKERS))
def test_workers_need_the_same_privileges_as_in_compose_and_no_others(name) -> None:
    walled = yaml.safe_load((COMPOSE / "docker-compose.walled.yml").read_text())
    (container,) = pod_templates()[name]["spec"]["containers"]
    asked = container["securityContext"]["capabilities"]["add"]
    assert asked == walled["services"]["worker"]["cap_add"]


def test_secrets_come_by_reference_only() -> None:
    assert "Secret" not in {document["kind"] for document in documents()}
    examples = yaml.safe_load_all((FOLDER / "secrets.example.yaml").read_text())
    known = {one["metadata"]["name"]: set(one["stringData"]) for one in examples}
    used = {
        volume["secret"]["secretName"]
        for pod in pod_templates().values()
        for volume in pod["spec"]["volumes"]
        if "secret" in volume
    }
    assert used == set(known)
    for pod in pod_templates().values():
        for entry in pod["spec"]["containers"][0].get("env", ()):
            assert not {"PASSWORD", "SECRET", "TOKEN"} & set(entry["name"].split("_"))


def test_every_volume_that_is_mounted_is_there() -> None:
    for name, pod in pod_templates().items():
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        mounted = {one["name"] for c in pod["spec"]["containers"] for one in c["volumeMounts"]}
        assert mounted == volumes, name


def test_services_budgets_and_policies_select_pods_that_there_are() -> None:
    labels = [pod["metadata"]["labels"] for pod in pod_templates().values()]
    chosen = {
        "Service": lambda spec: spec["selector"],
        "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
        "NetworkPolicy": lambda spec: spec["podSelector"].get("matchLabels", {}),
    }
    for document in documents():
        if choose := chosen.get(document["kind"]):
            wanted = choose(document["spec"]).items()
            assert any(wanted <= one.items() for one in labels), document["metadata"]["name"]


def test_nothing_is_let_in_or_out_unless_a_policy_says_so() -> None:
    policy = named("NetworkPolicy", "nothing")["spec"]
    assert policy == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_the_platform_knows_every_setting_that_is_given(tmp_path) -> None:
    given = named("ConfigMap", "settings")["data"]
    plain = {name: value for name, value in given.items() if not name.endswith("_URL_FILE")}
    plain.pop("QUETZAL_SECRET_KEY_FILE")
    settings, warnings = load_settings({}, plain)
    assert not warnings
    assert settings.engine == "ray"
    for name in set(given) - set(plain):
        (tmp_path / name).write_text("sqlite:///ledger" if "DATABASE" in name else "x")
    files = {name: str(tmp_path / name) for name in set(given) - set(plain)}
    _, warnings = load_settings({}, with_secret_files(files))
    assert not warnings


def test_the_autoscaler_knows_the_groups_by_name_and_what_they_offer(tmp_path) -> None:
    file = tmp_path / "provider.toml"
    file.write_text(named("ConfigMap", "provider")["data"]["provider.toml"])
    settings = read_provider_file("kubernetes", file)
    assert isinstance(settings, KubernetesSettings)
    groups = {
        group["groupName"]: {e["name"]: e["value"] for e in _container(group).get("env", ())}
        for group in named("RayCluster", "quetzal")["spec"]["workerGroupSpecs"]
    }
    offered = {size.size: (size.cpus, size.memory_mib) for size in settings.shapes}
    assert offered == {
        name: (float(env["QUETZAL_WORKER_CPUS"]), int(env["QUETZAL_WORKER_MEMORY_MIB"]))
        for name, env in groups.items()
    }
    assert settings.ray_cluster == named("RayCluster", "quetzal")["metadata"]["name"]


def test_a_gateway_has_time_to_drain_before_it_is_killed() -> None:
    spec = named("Deployment", "gateway")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    forgotten_s = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    requests_s = 20  # what a gateway gives requests that run
    assert spec["terminationGracePeriodSeconds"] > forgotten_s + requests_s


def test_kustomize_renders_the_same_documents(tmp_path) -> None:
    try:
        said = subprocess.run(
            ("kubectl", "kustomize", str(FOLDER)), capture_output=True, text=True, check=True
        )
    except FileNotFoundError:
        pytest.skip("kubectl is not installed; the files were read without it")
    rendered = [d for d in yaml.safe_load_all(said.stdout) if d]
    assert len(rendered) == len(documents())
    assert {d["metadata"].get("namespace") for d in rendered} == {"quetzal", None}


def _container(group: Document) -> Document:
    return group["template"]["spec"]["containers"][0]


def test_every_manifest_is_listed() -> None:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    there = {Path(file).name for file in FOLDER.glob("*.yaml")}
    assert there - set(listed) == {"kustomization.yaml", "secrets.example.yaml"}
