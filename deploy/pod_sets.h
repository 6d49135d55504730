// Which pods a bundle would run. Private to deploy/.
#pragma once

#include "deploy/bundle.h"

namespace deploy {

/// Fills bundle.pods from its objects and values, which point into bundle.documents.
void add_pod_sets(Bundle& bundle);

}  // namespace deploy
