// Engine names: which server wrote an exposition, what it calls the metrics that this project reads under vLLM's names,
// and what it lacks. One data table, in engine_names.cc; used by the exposition parser and by whoever describes replicas.
// A metric that moves at another moment than vLLM's is no rename and must never be mapped to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace protocol {

struct VllmSnapshot;

enum class Engine : std::uint8_t { kUnknown, kVllm, kLlmdSimulator, kGatebenchReplica, kSglang, kTensorRtLlm };

/// "vLLM", "llm-d-inference-sim", …; empty for kUnknown.
[[nodiscard]] std::string_view name_of(Engine engine);

/// The engine whose metric this is, by its prefix; kUnknown for names that any server may export.
[[nodiscard]] Engine engine_of_metric(std::string_view name);

/// vLLM's base name (without `_total`, `_bucket`, `_count`, `_sum`) for another engine's; nothing when it has no
/// counterpart that moves at the same moment. vLLM's own names come back unchanged, older ones too.
[[nodiscard]] std::optional<std::string_view> canonical_base(Engine engine, std::string_view base);

/// What attribution cannot use at this replica, in words ("sums of output tokens"); empty when every channel is there.
/// `snapshot` is one full scrape.
[[nodiscard]] std::vector<std::string_view> absent_channels(const VllmSnapshot& snapshot);

/// The query "name[]=…&name[]=…" (percent-encoded) that asks an exposition for the samples that analyzers use, under all of
/// the engine's names for them: everything the parser reads but the buckets of latencies. Empty for an unknown engine.
[[nodiscard]] std::string name_filter(Engine engine);

}  // namespace protocol
