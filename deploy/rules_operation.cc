// Rules of the group "operation".
#include "deploy/rule_groups.h"

namespace deploy {

std::span<const Rule> operation_rules() { return {}; }

}  // namespace deploy
