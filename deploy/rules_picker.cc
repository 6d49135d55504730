// Rules of the group "picker".
#include "deploy/rule_groups.h"

namespace deploy {

std::span<const Rule> picker_rules() { return {}; }

}  // namespace deploy
