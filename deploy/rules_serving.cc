// Rules of the group "serving".
#include "deploy/rule_groups.h"

namespace deploy {

std::span<const Rule> serving_rules() { return {}; }

}  // namespace deploy
