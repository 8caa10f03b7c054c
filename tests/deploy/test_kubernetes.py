"""The Kubernetes manifests: valid by Kubernetes' own schemas, and in agreement with each other and with what Express does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

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
