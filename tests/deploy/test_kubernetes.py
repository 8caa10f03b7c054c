"""The Kubernetes manifests: valid by Kubernetes' own schemas, and in agreement with each other and with what Express does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

import express
from express import config
from express.tasks.function import load

MANIFESTS = sorted((Path(__file__).parents[2] / "deploy" / "kubernetes").glob("*.yaml"))


def document(kind: str) -> dict[str, Any]:
    """The one manifest of a kind."""
    found = [loaded for path in MANIFESTS for loaded in YAML(typ="safe").load_all(path) if loaded["kind"] == kind]
    assert len(found) == 1
    return found[0]


def pod() -> dict[str, Any]:
    return document("Deployment")["spec"]["template"]["spec"]


def container() -> dict[str, Any]:
    (only,) = pod()["containers"]
    return only


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_is_valid_by_the_schemas_of_kubernetes(path: Path) -> None:
    for loaded in YAML(typ="safe").load_all(path):
        kubernetes_validate.validate(loaded, kubernetes_validate.latest_version(), strict=True)


def test_a_misspelt_field_would_be_found() -> None:
    wrong = document("Deployment")
    wrong["spec"]["template"]["spec"]["terminationGracePeriodSecond"] = 40
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriodSecond"):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def test_the_pod_may_do_nothing_it_does_not_need() -> None:
    security = pod()["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod()["automountServiceAccountToken"] is False
    assert {"name": "tmp", "emptyDir": {}} in pod()["volumes"]


def test_everything_selects_the_pods_of_the_deployment() -> None:
    labels = document("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert document("Deployment")["spec"]["selector"]["matchLabels"] == labels
    assert document("Service")["spec"]["selector"] == labels
    assert document("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert document("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels


def test_the_service_and_the_policy_name_the_container_s_port() -> None:
    (port,) = container()["ports"]
    assert document("Service")["spec"]["ports"][0]["targetPort"] == port["name"]
    assert document("NetworkPolicy")["spec"]["ingress"][0]["ports"][0]["port"] == port["name"]


# --- In agreement with Express itself ---------------------------------------------------------------------------------------------


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """The ConfigMap as the pod sees it: a folder of files."""
    for name, text in document("ConfigMap")["data"].items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_configuration_is_accepted_as_it_stands(mounted: Path) -> None:
    (route,) = config.validate(config.load(mounted / "express.yaml", {}))
    assert (route.source.name, route.sink and route.sink.name, route.dead_letter and route.dead_letter.name) == (
        "orders",
        "orders.done",
        "orders.dead",
    )


def test_the_pod_s_grace_is_longer_than_drain_and_the_five_seconds_after_it(mounted: Path) -> None:
    (route,) = config.validate(config.load(mounted / "express.yaml", {}))
    assert pod()["terminationGracePeriodSeconds"] > route.drain + 5


def test_the_probes_ask_where_express_answers(mounted: Path) -> None:
    listen = config.load(mounted / "express.yaml", {}).settings.ops.listen
    assert listen is not None
    host, port = config.host_and_port(listen)
    assert host == "0.0.0.0", "the kubelet asks from outside the pod"
    assert {each["name"]: each["containerPort"] for each in container()["ports"]} == {"metrics": port}
    asked = {name: container()[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe["port"] for probe in asked.values()} == {"metrics"}
    assert asked["livenessProbe"]["path"] == asked["startupProbe"]["path"] == "/livez", "a restart cures no broker"
    assert asked["readinessProbe"]["path"] == "/readyz"


def test_the_pod_reads_the_configuration_where_the_configmap_is_mounted() -> None:
    (volume,) = [volume for volume in pod()["volumes"] if "configMap" in volume]
    assert volume["configMap"]["name"] == document("ConfigMap")["metadata"]["name"]
    (mount,) = [mount for mount in container()["volumeMounts"] if mount["name"] == volume["name"]]
    assert "subPath" not in mount, "a file mounted by subPath is never updated"
    assert container()["args"] == ["run", "-c", f"{mount['mountPath']}/express.yaml"]


def test_the_workflow_of_the_configmap_runs(mounted: Path) -> None:
    program = express.compile(mounted / "orders.asl.json", functions=load(mounted / "orders_functions.py"))
    assert program.run({"items": [{"quantity": 2, "price": 21}]}).output == {"items": [{"quantity": 2, "price": 21}], "total": 42}
    assert program.run({"items": []}).error == "EmptyOrder"
