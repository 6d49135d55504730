// Turns a planned request into its prompt. Called on the load engine's hot path; allocates only when the prompt grows.
#include <charconv>

#include "protocol/tokenizer.h"
#include "scenarios/schedule.h"

namespace scenarios {
namespace {

void append_literal(std::string_view text, std::uint32_t number, std::string& prompt) {
  constexpr std::string_view kNumber = "{i}";
  char digits[12];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  for (;;) {
    const auto place = text.find(kNumber);
    prompt.append(text.substr(0, place));
    if (place == std::string_view::npos) return;
    prompt.append(digits, end);
    text.remove_prefix(place + kNumber.size());
  }
}

}  // namespace

void render_prompt(const Scenario& scenario, const PlannedRequest& request, std::string& prompt) {
  const PromptSpec& spec = scenario.workloads[request.workload].prompt;
  prompt.clear();
  switch (spec.kind) {
    case PromptKind::kLiteral:
      append_literal(spec.texts[(request.number - 1) % spec.texts.size()], request.number, prompt);
      if (request.extra_tokens > 0) protocol::append_words(prompt, request.prompt_seed, request.extra_tokens);
      return;
    case PromptKind::kUnique:
      protocol::append_words(prompt, request.prompt_seed, std::size_t{spec.tokens} + request.extra_tokens);
      return;
    case PromptKind::kSharedPrefix:
      protocol::append_words(prompt, request.prefix_seed, spec.prefix_tokens);
      protocol::append_words(prompt, request.prompt_seed, std::size_t{spec.suffix_tokens} + request.extra_tokens);
  }
}

std::uint32_t PromptTokenCounts::of(const PlannedRequest& request) {
  const PromptSpec& spec = scenario_.workloads[request.workload].prompt;
  if (spec.kind == PromptKind::kUnique) return spec.tokens + request.extra_tokens;
  if (spec.kind == PromptKind::kSharedPrefix) return spec.prefix_tokens + spec.suffix_tokens + request.extra_tokens;
  std::uint32_t digits = 1;
  for (std::uint32_t rest = request.number; rest >= 10; rest /= 10) ++digits;
  const Key key{request.workload, (request.number - 1) % spec.texts.size(), digits, request.extra_tokens};
  if (const auto known = literal_.find(key); known != literal_.end()) return known->second;
  render_prompt(scenario_, request, prompt_);
  return literal_[key] = static_cast<std::uint32_t>(protocol::count_tokens(prompt_));
}

}  // namespace scenarios
