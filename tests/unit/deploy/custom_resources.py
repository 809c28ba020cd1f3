"""What the custom resources that we use may hold: their published fields, as far as our manifests need them.

Written after ray.io/v1 RayCluster (KubeRay 1.x) and gateway.networking.k8s.io/v1 Gateway and HTTPRoute (Gateway API
1.x, standard channel). Stricter than theirs: a field that is not here is refused, also where it would be allowed.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

NAME = {"type": "string", "minLength": 1, "maxLength": 253}
TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
DURATION: Schema = {"type": "string", "pattern": r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"}


def _object(*required: str, **fields: Schema) -> Schema:
    return {
        "type": "object",
        "properties": fields,
        "required": list(required),
        "additionalProperties": False,
    }


def _list(of: Schema, *, most: int = 64) -> Schema:
    return {"type": "array", "items": of, "maxItems": most, "minItems": 1}


def _resource(group: str, kind: str, spec: Schema) -> Schema:
    return _object(
        *("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": group},
        kind={"const": kind},
        metadata={"type": "object", "required": ["name"]},
        spec=spec,
    )


# Pods are checked against Kubernetes' own schema.
_TEMPLATE: Schema = {"type": "object", "required": ["spec"]}
_START: Schema = {"type": "object", "additionalProperties": TEXT}  # numbers in quotes

RAY_CLUSTER = _resource(
    "ray.io/v1",
    "RayCluster",
    _object(
        *("headGroupSpec", "workerGroupSpecs"),
        rayVersion=TEXT,
        enableInTreeAutoscaling={"type": "boolean"},
        headGroupSpec=_object(
            "template",
            rayStartParams=_START,
            serviceType={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
            template=_TEMPLATE,
        ),
        workerGroupSpecs=_list(
            _object(
                *("groupName", "maxReplicas", "minReplicas", "template"),
                groupName=NAME,
                replicas=COUNT,
                minReplicas=COUNT,
                maxReplicas=COUNT,
                rayStartParams=_START,
                scaleStrategy=_object(workersToDelete=_list(TEXT)),
                template=_TEMPLATE,
            )
        ),
    ),
)

_PARENTS = _list(_object("name", name=NAME, namespace=NAME, sectionName=NAME), most=32)
_REDIRECT = _object(
    scheme={"enum": ["http", "https"]}, hostname=NAME, port=PORT, statusCode={"enum": [301, 302]}
)

HTTP_ROUTE = _resource(
    "gateway.networking.k8s.io/v1",
    "HTTPRoute",
    _object(
        parentRefs=_PARENTS,
        hostnames=_list(NAME, most=16),
        rules=_list(
            _object(
                matches=_list(
                    _object(
                        path=_object(
                            type={"enum": ["Exact", "PathPrefix", "RegularExpression"]},
                            value={"type": "string", "maxLength": 1024},
                        )
                    )
                ),
                filters=_list(
                    _object(
                        "type",
                        type={"enum": ["RequestRedirect", "URLRewrite", "RequestHeaderModifier"]},
                        requestRedirect=_REDIRECT,
                    ),
                    most=16,
                ),
                timeouts=_object(request=DURATION, backendRequest=DURATION),
                backendRefs=_list(_object("name", name=NAME, port=PORT), most=16),
            ),
            most=16,
        ),
    ),
)

GATEWAY = _resource(
    "gateway.networking.k8s.io/v1",
    "Gateway",
    _object(
        *("gatewayClassName", "listeners"),
        gatewayClassName=NAME,
        listeners=_list(
            _object(
                *("name", "port", "protocol"),
                name=NAME,
                hostname=NAME,
                port=PORT,
                protocol={"enum": ["HTTP", "HTTPS", "TLS", "TCP", "UDP"]},
                tls=_object(
                    mode={"enum": ["Terminate", "Passthrough"]},
                    certificateRefs=_list(_object("name", name=NAME)),
                ),
            )
        ),
    ),
)

SCHEMAS = {"RayCluster": RAY_CLUSTER, "HTTPRoute": HTTP_ROUTE, "Gateway": GATEWAY}
