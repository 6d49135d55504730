// Rules of the group "routing".
#include "deploy/rule_groups.h"

namespace deploy {

std::span<const Rule> routing_rules() { return {}; }

}  // namespace deploy
