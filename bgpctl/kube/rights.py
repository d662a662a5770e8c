"""What we may do, by the API server's own word (SelfSubjectAccessReview: everybody may ask about himself)."""

from __future__ import annotations

from bgpctl.kube.client import ApiError, Client, NotFound

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def may(client: Client, verb: str, group: str, resource: str, namespace: str = "", name: str = "") -> bool:
    """May this user do it, to the object of that name where one is given? One who cannot tell will answer the
    request itself."""
    return told(client, verb, group, resource, namespace, name) is not False


def told(
    client: Client, verb: str, group: str, resource: str, namespace: str = "", name: str = ""
) -> bool | None:
    """The same; None where the API server does not say."""
    resource, _, subresource = resource.partition("/")
    wanted = {
        "verb": verb,
        "group": group,
        "resource": resource,
        "subresource": subresource,
        "namespace": namespace,
        "name": name,
    }
    attributes = {field: value for field, value in wanted.items() if value}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    try:
        status = client.create(REVIEWS, review).get("status")
    except (ApiError, NotFound):
        return None
    allowed = status.get("allowed") if isinstance(status, dict) else None
    return allowed if isinstance(allowed, bool) else None
