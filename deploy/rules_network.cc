// Rules of the group "network".
#include "deploy/rule_groups.h"

namespace deploy {

std::span<const Rule> network_rules() { return {}; }

}  // namespace deploy
