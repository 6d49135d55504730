// Watermarks: what makes responses tell apart in the replicas' counters, chosen so that it costs least. Pure.
// Called by the run and plan verbs before a schedule is planned; the scenario that results is what is stored with the run.
// A watermark must never touch what requests share: prefixes stay byte for byte, lengths grow at the end of a prompt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/scenario.h"
#include "scenarios/schedule.h"

namespace scenarios {

enum class WatermarkKind : std::uint8_t {
  kNone,
  kNatural,    ///< requests differ enough as they are
  kMaxTokens,  ///< max_tokens cycled over histogram buckets, never below the scenario's own: no work, if answers end by themselves
  kBody,       ///< `user` text of varying length: no work, if Content-Length reaches the replicas
  kPrompt      ///< prompt lengths on a Golomb ruler: a few tokens of work
};
[[nodiscard]] std::string_view word_for(WatermarkKind kind);  ///< "none", "natural", "max-tokens", "body", "prompt-length"

/// What was found out about target and replicas. Nothing known: nothing that depends on it is chosen.
struct WatermarkFacts {
  std::size_t replicas = 0;              ///< whose counters are read; 0: unknown
  std::size_t probes = 0;                ///< requests that the rest was learned from
  bool stops_by_itself = false;          ///< probes ended before their max_tokens
  bool max_tokens_counted = false;       ///< the replicas counted exactly the max_tokens that probes sent, the largest one too
  bool content_length_survives = false;  ///< the replicas counted exactly the bytes that probes sent, padding included
  double tokens_ratio = 1;               ///< the server's prompt tokens over gatebench's own count, the highest seen
  std::uint32_t max_model_len = 0;       ///< tokens; 0: unknown
};

/// How alike requests are, over the first 5,000 of a schedule; bodies over the first 300 or 8 MB of them.
struct LengthSpread {
  double collision = 1;        ///< chance that two have equal (prompt tokens, max_tokens); 1 for fewer than two
  double prompt_stddev = 0, max_tokens_stddev = 0, body_stddev = 0;  ///< tokens, tokens, bytes
  std::size_t max_tokens_buckets = 1;   ///< histogram buckets that max_tokens falls into
  double prompt_mean = 0, max_tokens_mean = 0, body_mean = 0;        ///< body: prompt text and padding, unescaped
  double own_mean = 0;                  ///< prompt tokens behind the shared prefix: what a warm cache leaves to prefill
  std::uint32_t prompt_max = 0, max_tokens_max = 0;
  double body_collision = 1;            ///< of body sizes, prompt and padding
};
[[nodiscard]] LengthSpread length_spread(const Scenario& scenario, const Schedule& schedule);

/// Requests that differ as often as this need no watermark: half of what 8 lengths in turn give.
inline constexpr double kNaturalCollision = 1.0 / 16;

struct WatermarkChoice {
  WatermarkKind kind = WatermarkKind::kNone;
  std::string why;                       ///< why this one: what ruled the cheaper ones out
  std::string rule;                      ///< how values go, "max_tokens cycled over 6 buckets, 129 to 5,000"
  std::string cost;                      ///< in words, "14.6 prompt tokens more per request, 2.9 %"
  double extra_prompt_tokens = 0;        ///< mean per request
  double extra_body_bytes = 0;
  std::vector<std::uint32_t> marks;      ///< kPrompt: the extra tokens, in turn
};

/// The first of: natural lengths, max_tokens buckets, body padding, prompt lengths; none where nothing is to be told apart
/// (one replica, serial probing). `schedule`: of the scenario without any watermark, as planned.
[[nodiscard]] WatermarkChoice choose_watermark(const Scenario& scenario, const Schedule& schedule, const WatermarkFacts& facts);

/// A certain one. kInvalid with the reason when the scenario or the facts do not allow it.
core::Result<WatermarkChoice> force_watermark(WatermarkKind kind, const Scenario& scenario, const Schedule& schedule, const WatermarkFacts& facts);

/// 14 prompt lengths of up to 127 tokens more instead of 8 of up to 34: four times the cost, for rounds of many finishes.
[[nodiscard]] WatermarkChoice with_more_lengths(WatermarkChoice prompt_choice, const LengthSpread& spread);

/// The largest max_tokens that a watermark would send with a prompt of the scenario; 0: none could be chosen.
[[nodiscard]] std::uint32_t largest_max_tokens(const Scenario& scenario, const Schedule& schedule, const WatermarkFacts& facts);

/// The scenario without the watermark that it has (its `watermark` says which cycle that is).
[[nodiscard]] Scenario without_watermark(Scenario scenario);
/// `seed`: of the values inside buckets. The result's `watermark` names it; kNone and kNatural change nothing.
[[nodiscard]] Scenario with_watermark(Scenario scenario, const WatermarkChoice& choice, const WatermarkFacts& facts, std::uint64_t seed);
/// What the scenario itself brings, as a choice.
[[nodiscard]] WatermarkChoice own_watermark(const Scenario& scenario);

/// Finishes per replica and round of scrapes up to which counters tell responses apart (attribution.md §8).
[[nodiscard]] double finishes_per_window(WatermarkKind kind, const Scenario& scenario);

}  // namespace scenarios
