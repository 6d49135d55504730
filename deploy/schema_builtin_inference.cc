// Our own compact schemas of the inference, gateway, Istio and GKE kinds. See schema_builtin.h.
// Facts: the kinds' published CustomResourceDefinitions; names, required fields and enums only.
#include "deploy/schema_builtin.h"

namespace deploy {
namespace {

constexpr std::string_view kInference = R"yaml(
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "inference.networking.k8s.io"
  names: {kind: InferencePool}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          status: {type: object}
          spec:
            type: object
            required: [selector, targetPorts]
            properties:
              appProtocol: {type: string, enum: [http, kubernetes.io/h2c]}
              selector:
                type: object
                required: [matchLabels]
                properties: {matchLabels: {type: object, minProperties: 1, maxProperties: 64, additionalProperties: {type: string, maxLength: 63}}}
              targetPorts:
                type: array
                minItems: 1
                maxItems: 8
                items: {type: object, required: [number], properties: {number: {type: integer, minimum: 1, maximum: 65535}}}
              endpointPickerRef:
                type: object
                required: [name]
                properties:
                  group: {type: string}
                  kind: {type: string}
                  name: {type: string, minLength: 1, maxLength: 253}
                  port: {type: object, required: [number], properties: {number: {type: integer, minimum: 1, maximum: 65535}}}
                  failureMode: {type: string, enum: [FailOpen, FailClose]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "inference.networking.x-k8s.io"
  names: {kind: InferencePool}
  versions:
  - name: v1alpha2
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          status: {type: object}
          spec:
            type: object
            required: [selector, targetPortNumber, extensionRef]
            properties:
              selector: {type: object, additionalProperties: {type: string}}
              targetPortNumber: {type: integer, minimum: 1, maximum: 65535}
              extensionRef:
                type: object
                required: [name]
                properties:
                  group: {type: string}
                  kind: {type: string}
                  name: {type: string, minLength: 1}
                  portNumber: {type: integer, minimum: 1, maximum: 65535}
                  failureMode: {type: string, enum: [FailOpen, FailClose]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "inference.networking.x-k8s.io"
  names: {kind: InferenceObjective}
  versions:
  - name: v1alpha2
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          status: {type: object}
          spec:
            type: object
            required: [poolRef]
            properties:
              priority: {type: integer}
              poolRef: {type: object, required: [name], properties: {group: {type: string}, kind: {type: string}, name: {type: string, minLength: 1}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "llm-d.ai"
  names: {kind: InferenceObjective}
  versions:
  - name: v1alpha2
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          status: {type: object}
          spec:
            type: object
            required: [poolRef]
            properties:
              priority: {type: integer}
              poolRef: {type: object, required: [name], properties: {group: {type: string}, kind: {type: string}, name: {type: string, minLength: 1}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "serving.kserve.io"
  names: {kind: LLMInferenceService}
  versions:
  - name: v1alpha1
    schema:
      openAPIV3Schema:
        type: object
        properties:
          status: {type: object}
          spec:
            type: object
            required: [model]
            properties:
              model:
                type: object
                required: [uri]
                properties: {uri: {type: string}, name: {type: string}, criticality: {type: string}, lora: {type: object}}
              replicas: {type: integer, minimum: 0}
              parallelism:
                type: object
                properties: {tensor: {type: integer}, pipeline: {type: integer}, data: {type: integer}, dataLocal: {type: integer}, dataRPCPort: {type: integer}, expert: {type: boolean}}
              template: {x-ref: PodSpec}
              worker: {x-ref: PodSpec}
              prefill: {type: object}
              baseRefs: {type: array}
              scaling: {type: object}
              labels: {type: object, additionalProperties: {type: string}}
              annotations: {type: object, additionalProperties: {type: string}}
              storageInitializer: {type: object}
              router:
                type: object
                properties:
                  route: {type: object}
                  gateway: {type: object}
                  ingress: {type: object}
                  scheduler:
                    type: object
                    properties:
                      pool: {type: object}
                      template: {x-ref: PodSpec}
                      config: {type: object, properties: {inline: {type: object, x-kubernetes-preserve-unknown-fields: true}, ref: {type: object}}}
                      replicas: {type: integer, minimum: 0}
  - name: v1alpha2
    schema:
      openAPIV3Schema:
        type: object
        properties:
          status: {type: object}
          spec:
            type: object
            required: [model]
            properties:
              model:
                type: object
                required: [uri]
                properties: {uri: {type: string}, name: {type: string}, criticality: {type: string}, lora: {type: object}}
              replicas: {type: integer, minimum: 0}
              parallelism:
                type: object
                properties: {tensor: {type: integer}, pipeline: {type: integer}, data: {type: integer}, dataLocal: {type: integer}, dataRPCPort: {type: integer}, expert: {type: boolean}}
              template: {x-ref: PodSpec}
              worker: {x-ref: PodSpec}
              prefill: {type: object}
              baseRefs: {type: array}
              scaling: {type: object}
              labels: {type: object, additionalProperties: {type: string}}
              annotations: {type: object, additionalProperties: {type: string}}
              storageInitializer: {type: object}
              router:
                type: object
                properties:
                  route: {type: object}
                  gateway: {type: object}
                  ingress: {type: object}
                  scheduler:
                    type: object
                    properties:
                      pool: {type: object}
                      template: {x-ref: PodSpec}
                      config: {type: object, properties: {inline: {type: object, x-kubernetes-preserve-unknown-fields: true}, ref: {type: object}}}
                      replicas: {type: integer, minimum: 0}
)yaml";

constexpr std::string_view kGateway = R"yaml(
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "gateway.networking.k8s.io"
  names: {kind: Gateway}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          status: {type: object}
          spec:
            type: object
            required: [gatewayClassName, listeners]
            properties:
              gatewayClassName: {type: string, minLength: 1, maxLength: 253}
              addresses: {type: array}
              infrastructure: {type: object}
              backendTLS: {type: object}
              allowedListeners: {type: object}
              tls: {type: object}
              defaultScope: {type: string}
              listeners:
                type: array
                minItems: 1
                maxItems: 64
                items:
                  type: object
                  required: [name, port, protocol]
                  properties:
                    name: {type: string, minLength: 1, maxLength: 253}
                    hostname: {type: string, pattern: '^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$', minLength: 1, maxLength: 253}
                    port: {type: integer, minimum: 1, maximum: 65535}
                    protocol: {type: string}
                    tls: {type: object}
                    allowedRoutes: {type: object}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "gateway.networking.k8s.io"
  names: {kind: HTTPRoute}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          status: {type: object}
          spec:
            type: object
            properties:
              useDefaultGateways: {type: string}
              hostnames: {type: array, maxItems: 16, items: {type: string, pattern: '^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$', minLength: 1, maxLength: 253}}
              parentRefs:
                type: array
                maxItems: 32
                items:
                  type: object
                  required: [name]
                  properties: {group: {type: string}, kind: {type: string}, namespace: {type: string}, name: {type: string, minLength: 1}, sectionName: {type: string}, port: {type: integer}}
              rules:
                type: array
                minItems: 1
                maxItems: 16
                items:
                  type: object
                  properties:
                    name: {type: string}
                    matches: {type: array, maxItems: 64}
                    filters: {type: array, maxItems: 16}
                    timeouts: {type: object, properties: {request: {type: string}, backendRequest: {type: string}}}
                    retry: {type: object}
                    sessionPersistence: {type: object}
                    backendRefs:
                      type: array
                      maxItems: 16
                      items:
                        type: object
                        required: [name]
                        properties:
                          group: {type: string}
                          kind: {type: string}
                          name: {type: string, minLength: 1}
                          namespace: {type: string}
                          port: {type: integer, minimum: 1, maximum: 65535}
                          weight: {type: integer, minimum: 0, maximum: 1000000}
                          filters: {type: array}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "networking.gke.io"
  names: {kind: HealthCheckPolicy}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          status: {type: object}
          spec:
            type: object
            required: [targetRef]
            properties:
              targetRef: {type: object, required: [group, kind, name], properties: {group: {type: string}, kind: {type: string}, name: {type: string}, namespace: {type: string}}}
              default:
                type: object
                properties:
                  checkIntervalSec: {type: integer, minimum: 1, maximum: 300}
                  timeoutSec: {type: integer, minimum: 1, maximum: 300}
                  healthyThreshold: {type: integer, minimum: 1, maximum: 10}
                  unhealthyThreshold: {type: integer, minimum: 1, maximum: 10}
                  logConfig: {type: object}
                  config:
                    type: object
                    required: [type]
                    properties:
                      type: {type: string, enum: [TCP, HTTP, HTTPS, HTTP2, GRPC]}
                      tcpHealthCheck: {type: object}
                      httpHealthCheck: {type: object}
                      httpsHealthCheck: {type: object}
                      http2HealthCheck: {type: object}
                      grpcHealthCheck: {type: object}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "networking.gke.io"
  names: {kind: GCPBackendPolicy}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          status: {type: object}
          spec:
            type: object
            required: [targetRef]
            properties:
              targetRef: {type: object, required: [group, kind, name], properties: {group: {type: string}, kind: {type: string}, name: {type: string}, namespace: {type: string}}}
              default: {type: object}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "networking.istio.io"
  names: {kind: EnvoyFilter}
  versions:
  - name: v1alpha3
    schema:
      openAPIV3Schema:
        type: object
        properties:
          status: {type: object}
          spec:
            type: object
            properties:
              workloadSelector: {type: object, properties: {labels: {type: object, additionalProperties: {type: string}}}}
              targetRefs: {type: array, maxItems: 16}
              priority: {type: integer}
              configPatches:
                type: array
                items:
                  type: object
                  properties:
                    applyTo: {type: string, enum: [INVALID, LISTENER, FILTER_CHAIN, NETWORK_FILTER, HTTP_FILTER, ROUTE_CONFIGURATION, VIRTUAL_HOST, HTTP_ROUTE, CLUSTER, EXTENSION_CONFIG, BOOTSTRAP, LISTENER_FILTER]}
                    match: {type: object}
                    patch:
                      type: object
                      properties:
                        operation: {type: string, enum: [INVALID, MERGE, ADD, REMOVE, INSERT_BEFORE, INSERT_AFTER, INSERT_FIRST, REPLACE]}
                        filterClass: {type: string}
                        value: {type: object}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "monitoring.googleapis.com"
  names: {kind: PodMonitoring}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          status: {type: object}
          spec:
            type: object
            required: [endpoints, selector]
            properties:
              selector: {type: object}
              limits: {type: object}
              targetLabels: {type: object}
              filterRunning: {type: boolean}
              endpoints: {type: array, minItems: 1, items: {type: object, required: [port], properties: {port: {x-kubernetes-int-or-string: true}}, x-kubernetes-preserve-unknown-fields: true}}
)yaml";

}  // namespace

std::string_view inference_schemas() { return kInference; }
std::string_view gateway_schemas() { return kGateway; }

}  // namespace deploy
