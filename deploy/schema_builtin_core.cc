// Our own compact schemas of built-in kinds, and all of them joined. See schema_builtin.h.
// Facts: the Kubernetes API reference; names, required fields and enums only.
#include <array>

#include "deploy/schema_builtin.h"

namespace deploy {

namespace {

constexpr std::string_view kCore = R"yaml(
kind: Definitions
definitions:
  # apimachinery, resource.Quantity: the suffixes are these and no others; a number needs no quotes.
  Quantity: {pattern: '^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$'}
  PodSpec:
    type: object
    properties:
      containers: {type: array, items: {x-ref: Container}}
      initContainers: {type: array, items: {x-ref: Container}}
      ephemeralContainers: {type: array}
      volumes: {type: array}
      nodeSelector: {type: object, additionalProperties: {type: string}}
      tolerations: {type: array}
      affinity: {type: object}
      serviceAccountName: {type: string}
      serviceAccount: {type: string}
      automountServiceAccountToken: {type: boolean}
      imagePullSecrets: {type: array}
      securityContext: {type: object}
      terminationGracePeriodSeconds: {type: integer, minimum: 0}
      restartPolicy: {type: string, enum: [Always, OnFailure, Never]}
      hostNetwork: {type: boolean}
      hostPID: {type: boolean}
      hostIPC: {type: boolean}
      hostUsers: {type: boolean}
      hostAliases: {type: array}
      hostname: {type: string}
      hostnameOverride: {type: string}
      subdomain: {type: string}
      nodeName: {type: string}
      dnsPolicy: {type: string}
      dnsConfig: {type: object}
      priorityClassName: {type: string}
      priority: {type: integer}
      preemptionPolicy: {type: string}
      runtimeClassName: {type: string}
      schedulerName: {type: string}
      schedulingGates: {type: array}
      shareProcessNamespace: {type: boolean}
      topologySpreadConstraints: {type: array}
      enableServiceLinks: {type: boolean}
      activeDeadlineSeconds: {type: integer}
      overhead: {type: object}
      os: {type: object}
      readinessGates: {type: array}
      resourceClaims: {type: array}
      resources: {type: object}
      setHostnameAsFQDN: {type: boolean}
      workloadRef: {type: object}
  Container:
    type: object
    required: [name]
    properties:
      name: {type: string, minLength: 1}
      image: {type: string}
      command: {type: array, items: {type: string}}
      args: {type: array, items: {type: string}}
      workingDir: {type: string}
      imagePullPolicy: {type: string, enum: [Always, Never, IfNotPresent]}
      env: {type: array, items: {type: object, required: [name], properties: {name: {type: string, minLength: 1}, value: {type: string}, valueFrom: {type: object}}}}
      envFrom: {type: array}
      ports: {type: array, items: {type: object, required: [containerPort], properties: {name: {type: string, maxLength: 15}, containerPort: {type: integer, minimum: 1, maximum: 65535}, hostPort: {type: integer}, hostIP: {type: string}, protocol: {type: string, enum: [TCP, UDP, SCTP]}}}}
      resources:
        type: object
        properties:
          limits: {type: object, additionalProperties: {x-ref: Quantity}}
          requests: {type: object, additionalProperties: {x-ref: Quantity}}
          claims: {type: array}
      resizePolicy: {type: array}
      restartPolicy: {type: string}
      restartPolicyRules: {type: array}
      volumeMounts: {type: array, items: {type: object, required: [name, mountPath], properties: {name: {type: string}, mountPath: {type: string}, readOnly: {type: boolean}, subPath: {type: string}, subPathExpr: {type: string}, mountPropagation: {type: string}, recursiveReadOnly: {type: string}}}}
      volumeDevices: {type: array}
      livenessProbe: {x-ref: Probe}
      readinessProbe: {x-ref: Probe}
      startupProbe: {x-ref: Probe}
      lifecycle: {type: object}
      securityContext: {type: object}
      terminationMessagePath: {type: string}
      terminationMessagePolicy: {type: string}
      stdin: {type: boolean}
      stdinOnce: {type: boolean}
      tty: {type: boolean}
  Probe:
    type: object
    properties:
      httpGet: {type: object, required: [port], properties: {path: {type: string}, port: {x-kubernetes-int-or-string: true}, host: {type: string}, scheme: {type: string, enum: [HTTP, HTTPS]}, httpHeaders: {type: array}}}
      grpc: {type: object, required: [port], properties: {port: {type: integer}, service: {type: string}}}
      tcpSocket: {type: object, required: [port], properties: {port: {x-kubernetes-int-or-string: true}, host: {type: string}}}
      exec: {type: object}
      initialDelaySeconds: {type: integer, minimum: 0}
      periodSeconds: {type: integer, minimum: 1}
      timeoutSeconds: {type: integer, minimum: 1}
      successThreshold: {type: integer, minimum: 1}
      failureThreshold: {type: integer, minimum: 1}
      terminationGracePeriodSeconds: {type: integer}
  PodTemplate:
    type: object
    properties: {metadata: {type: object}, spec: {x-ref: PodSpec}}
  JobSpec:
    type: object
    required: [template]
    properties:
      template: {x-ref: PodTemplate}
      backoffLimit: {type: integer, minimum: 0}
      activeDeadlineSeconds: {type: integer, minimum: 1}
      ttlSecondsAfterFinished: {type: integer, minimum: 0}
      completions: {type: integer, minimum: 0}
      parallelism: {type: integer, minimum: 0}
      completionMode: {type: string, enum: [NonIndexed, Indexed]}
      suspend: {type: boolean}
      selector: {type: object}
      manualSelector: {type: boolean}
      backoffLimitPerIndex: {type: integer}
      maxFailedIndexes: {type: integer}
      podFailurePolicy: {type: object}
      podReplacementPolicy: {type: string}
      successPolicy: {type: object}
      managedBy: {type: string}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "apps"
  names: {kind: Deployment}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        properties:
          status: {type: object}
          spec:
            type: object
            required: [selector, template]
            properties:
              replicas: {type: integer, minimum: 0}
              selector: {type: object, properties: {matchLabels: {type: object, additionalProperties: {type: string}}, matchExpressions: {type: array}}}
              template: {x-ref: PodTemplate}
              strategy: {type: object, properties: {type: {type: string, enum: [Recreate, RollingUpdate]}, rollingUpdate: {type: object, properties: {maxSurge: {x-kubernetes-int-or-string: true}, maxUnavailable: {x-kubernetes-int-or-string: true}}}}}
              minReadySeconds: {type: integer}
              progressDeadlineSeconds: {type: integer}
              revisionHistoryLimit: {type: integer}
              paused: {type: boolean}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "batch"
  names: {kind: Job}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        properties:
          status: {type: object}
          spec: {x-ref: JobSpec}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "batch"
  names: {kind: CronJob}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        properties:
          status: {type: object}
          spec:
            type: object
            required: [schedule, jobTemplate]
            properties:
              schedule: {type: string, minLength: 1}
              timeZone: {type: string}
              concurrencyPolicy: {type: string, enum: [Allow, Forbid, Replace]}
              suspend: {type: boolean}
              startingDeadlineSeconds: {type: integer}
              successfulJobsHistoryLimit: {type: integer}
              failedJobsHistoryLimit: {type: integer}
              jobTemplate: {type: object, properties: {metadata: {type: object}, spec: {x-ref: JobSpec}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: ""
  names: {kind: Service}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        properties:
          status: {type: object}
          spec:
            type: object
            properties:
              selector: {type: object, additionalProperties: {type: string}}
              type: {type: string, enum: [ClusterIP, NodePort, LoadBalancer, ExternalName]}
              ports: {type: array, items: {type: object, required: [port], properties: {name: {type: string}, port: {type: integer, minimum: 1, maximum: 65535}, targetPort: {x-kubernetes-int-or-string: true}, protocol: {type: string, enum: [TCP, UDP, SCTP]}, appProtocol: {type: string}, nodePort: {type: integer}}}}
              clusterIP: {type: string}
              clusterIPs: {type: array}
              externalIPs: {type: array}
              externalName: {type: string}
              externalTrafficPolicy: {type: string}
              internalTrafficPolicy: {type: string}
              ipFamilies: {type: array}
              ipFamilyPolicy: {type: string}
              loadBalancerIP: {type: string}
              loadBalancerClass: {type: string}
              loadBalancerSourceRanges: {type: array}
              allocateLoadBalancerNodePorts: {type: boolean}
              healthCheckNodePort: {type: integer}
              publishNotReadyAddresses: {type: boolean}
              sessionAffinity: {type: string}
              sessionAffinityConfig: {type: object}
              trafficDistribution: {type: string}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "networking.k8s.io"
  names: {kind: NetworkPolicy}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        properties:
          status: {type: object}
          spec:
            type: object
            properties:
              podSelector: {type: object}
              policyTypes: {type: array, items: {type: string, enum: [Ingress, Egress]}}
              ingress: {type: array, items: {type: object, properties: {from: {type: array, items: {type: object, properties: {podSelector: {type: object}, namespaceSelector: {type: object}, ipBlock: {type: object, required: [cidr], properties: {cidr: {type: string}, except: {type: array}}}}}}, ports: {type: array, items: {type: object, properties: {port: {x-kubernetes-int-or-string: true}, endPort: {type: integer}, protocol: {type: string, enum: [TCP, UDP, SCTP]}}}}}}}
              egress: {type: array, items: {type: object, properties: {to: {type: array, items: {type: object, properties: {podSelector: {type: object}, namespaceSelector: {type: object}, ipBlock: {type: object, required: [cidr], properties: {cidr: {type: string}, except: {type: array}}}}}}, ports: {type: array, items: {type: object, properties: {port: {x-kubernetes-int-or-string: true}, endPort: {type: integer}, protocol: {type: string, enum: [TCP, UDP, SCTP]}}}}}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "policy"
  names: {kind: PodDisruptionBudget}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        properties:
          status: {type: object}
          spec:
            type: object
            properties:
              minAvailable: {x-kubernetes-int-or-string: true}
              maxUnavailable: {x-kubernetes-int-or-string: true}
              selector: {type: object}
              unhealthyPodEvictionPolicy: {type: string}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "autoscaling"
  names: {kind: HorizontalPodAutoscaler}
  versions:
  - name: v2
    schema:
      openAPIV3Schema:
        type: object
        properties:
          status: {type: object}
          spec:
            type: object
            required: [maxReplicas, scaleTargetRef]
            properties:
              minReplicas: {type: integer, minimum: 0}
              maxReplicas: {type: integer, minimum: 1}
              scaleTargetRef: {type: object, required: [kind, name], properties: {apiVersion: {type: string}, kind: {type: string}, name: {type: string}}}
              metrics: {type: array}
              behavior: {type: object}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "rbac.authorization.k8s.io"
  names: {kind: Role}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        properties:
          rules: {type: array, items: {type: object, required: [verbs], properties: {apiGroups: {type: array, items: {type: string}}, resources: {type: array, items: {type: string}}, verbs: {type: array, items: {type: string}}, resourceNames: {type: array}, nonResourceURLs: {type: array}}}}
          aggregationRule: {type: object}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "rbac.authorization.k8s.io"
  names: {kind: ClusterRole}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        properties:
          rules: {type: array, items: {type: object, required: [verbs], properties: {apiGroups: {type: array, items: {type: string}}, resources: {type: array, items: {type: string}}, verbs: {type: array, items: {type: string}}, resourceNames: {type: array}, nonResourceURLs: {type: array}}}}
          aggregationRule: {type: object}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "rbac.authorization.k8s.io"
  names: {kind: RoleBinding}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        required: [roleRef]
        properties:
          subjects: {type: array, items: {type: object, required: [kind, name], properties: {kind: {type: string}, name: {type: string}, namespace: {type: string}, apiGroup: {type: string}}}}
          roleRef: {type: object, required: [kind, name], properties: {apiGroup: {type: string}, kind: {type: string}, name: {type: string}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: "rbac.authorization.k8s.io"
  names: {kind: ClusterRoleBinding}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        required: [roleRef]
        properties:
          subjects: {type: array, items: {type: object, required: [kind, name], properties: {kind: {type: string}, name: {type: string}, namespace: {type: string}, apiGroup: {type: string}}}}
          roleRef: {type: object, required: [kind, name], properties: {apiGroup: {type: string}, kind: {type: string}, name: {type: string}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: ""
  names: {kind: ConfigMap}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        properties:
          data: {type: object, additionalProperties: {type: string}}
          binaryData: {type: object}
          immutable: {type: boolean}
)yaml";

}  // namespace

std::span<const std::string_view> builtin_schemas() {
  static const std::array<std::string_view, 3> kAll{kCore, inference_schemas(), gateway_schemas()};
  return kAll;
}

}  // namespace deploy
