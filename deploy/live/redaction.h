// What of a cluster's answers may be written to disk: the shape of everything, and no value that looks like a credential.
// Called when a state is saved. It rather takes out too much: a value is kept where a check reads it.
#pragma once

#include <string>

namespace deploy {

/// An answer of `kubectl get -o json` without: values of environment variables, but those of vLLM, JAX and the like; annotations,
/// but those of Kubernetes, Gateway API, Istio, KServe and GKE; HTTP headers that probes and routes set; arguments and assignments
/// that are named like a credential; and, anywhere, bearer tokens, tokens of known form, and credentials inside URLs.
/// Text that is no JSON comes back as it is. No filter knows every secret: who hands a state on looks through it.
[[nodiscard]] std::string redacted(const std::string& text);

}  // namespace deploy
