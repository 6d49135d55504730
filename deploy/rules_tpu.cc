// Rules of the group "tpu".
#include "deploy/rule_groups.h"

namespace deploy {

std::span<const Rule> tpu_rules() { return {}; }

}  // namespace deploy
