// The CustomResourceDefinitions that a cluster has for the kinds of a bundle. Used by `gatebench deploy lint --crds cluster`.
#pragma once

#include <vector>

#include "bench/cli/kubectl.h"
#include "deploy/bundle.h"

namespace bench::cli {

/// Definitions of the API groups that the bundle's objects are of, as documents. kInvalid when the cluster has none of them;
/// else errors as of Kubectl::read.
core::Result<std::vector<deploy::Document>> read_cluster_definitions(const Kubectl& kubectl, const deploy::Bundle& bundle);

}  // namespace bench::cli
