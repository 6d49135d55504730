// See render.h.
#include "deploy/render.h"

#include <algorithm>

#include "deploy/render_parts.h"

namespace deploy {

std::string fill_in(std::string_view text, const std::vector<std::pair<std::string, std::string>>& values) {
  std::string out;
  while (!text.empty()) {
    const auto at = text.find("${");
    const auto end = at == std::string_view::npos ? at : text.find('}', at);
    out += text.substr(0, at);
    if (end == std::string_view::npos) break;
    const auto key = text.substr(at + 2, end - at - 2);
    const auto found = std::find_if(values.begin(), values.end(), [&](const auto& pair) { return pair.first == key; });
    out += found == values.end() ? std::string(text.substr(at, end - at + 1)) : found->second;
    text.remove_prefix(end + 1);
  }
  return out;
}

core::Result<std::vector<RenderedFile>> render(const DeployValues& values) {
  if (values.variant == Variant::kPlain) return render_plain(values);
  if (values.variant == Variant::kIstioKserve) return render_kserve(values);
  return core::fail(core::ErrorCode::kUnsupported, "variant " + std::string(word_for(values.variant)) + " cannot be rendered yet", "use --variant plain or istio-kserve");
}

}  // namespace deploy
