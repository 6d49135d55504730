// Rules of the group "schema".
#include "deploy/rule_groups.h"

namespace deploy {

std::span<const Rule> schema_rules() { return {}; }

}  // namespace deploy
