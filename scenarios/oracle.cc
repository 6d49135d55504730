// What a cache that never forgets would have hit. Called by analyzers; an upper bound that observed hits are held against.
// It knows the prompts only: blocks of generated text and a chat template's own tokens are left out.
#include <algorithm>
#include <unordered_set>

#include "protocol/prefix_blocks.h"
#include "scenarios/schedule.h"

namespace scenarios {
namespace {

using BlockSet = std::unordered_set<std::uint64_t>;

/// Leading blocks that `seen` holds, at most `most`.
std::size_t leading_hits(const std::vector<std::uint64_t>& hashes, std::size_t most, const BlockSet& seen) {
  std::size_t hits = 0;
  while (hits < most && hits < hashes.size() && seen.contains(hashes[hits])) ++hits;
  return hits;
}

}  // namespace

OracleHits oracle_hits(const Scenario& scenario, const Schedule& schedule, std::size_t request_count,
                       std::uint32_t block_size_tokens, const std::vector<std::int32_t>& replica_of_request) {
  OracleHits total;
  if (block_size_tokens == 0) return total;
  BlockSet shared;
  std::vector<BlockSet> per_replica;
  std::string prompt;
  std::vector<protocol::TokenId> tokens;
  std::vector<std::uint64_t> hashes;
  for (std::size_t i = 0; i < std::min(request_count, schedule.requests.size()); ++i) {
    render_prompt(scenario, schedule.requests[i], prompt);
    tokens.clear();
    protocol::tokenize(prompt, tokens);
    if (tokens.empty()) continue;
    protocol::engine_block_hashes(tokens, block_size_tokens, {}, hashes);
    // The engine always computes the last token itself, so a prompt of whole blocks cannot hit its last one.
    const std::size_t most = (tokens.size() - 1) / block_size_tokens;
    total.prompt_tokens += tokens.size();
    total.shared_cache_hit_tokens += leading_hits(hashes, most, shared) * block_size_tokens;
    shared.insert(hashes.begin(), hashes.end());
    const std::int32_t replica = i < replica_of_request.size() ? replica_of_request[i] : -1;
    if (replica < 0) continue;
    const auto index = static_cast<std::size_t>(replica);
    if (per_replica.size() <= index) per_replica.resize(index + 1);
    total.per_replica_hit_tokens += leading_hits(hashes, most, per_replica[index]) * block_size_tokens;
    per_replica[index].insert(hashes.begin(), hashes.end());
  }
  return total;
}

}  // namespace scenarios
