// Rules of the group "yaml".
#include "deploy/rule_groups.h"

namespace deploy {

std::span<const Rule> yaml_rules() { return {}; }

}  // namespace deploy
