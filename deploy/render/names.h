// Names of the objects of a bundle, derived from its values. The charts' and KServe's conventions are here and nowhere else.
#pragma once

#include <string>

#include "deploy/render/values.h"

namespace deploy {

struct BundleNames {
  std::string gateway, gateway_namespace, pool, picker, picker_service, workload, route, load, metrics_reader;
  std::string server_labels, picker_label;   ///< "key: value" lines
  std::string server_selector;               ///< "key=value,key=value", for kubectl
  std::string picker_selector;
};

[[nodiscard]] BundleNames names_of(const BundleValues& values);

}  // namespace deploy
