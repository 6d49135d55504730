// Rules of the group "kserve".
#include "deploy/rule_groups.h"

namespace deploy {

std::span<const Rule> kserve_rules() { return {}; }

}  // namespace deploy
