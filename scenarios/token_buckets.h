// Buckets of vLLM's token histograms (1, 2, 5, 10, 20, …): the classes that max_tokens falls into. Used by the watermark
// and what foresees it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace scenarios {

/// Upper edges, ascending.
inline constexpr std::array<std::uint32_t, 18> kTokenBucketEdges{1,    2,    5,     10,    20,    50,     100,    200,    500,
                                                                 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000};

[[nodiscard]] constexpr std::size_t token_bucket(std::uint32_t value) {
  return static_cast<std::size_t>(std::lower_bound(kTokenBucketEdges.begin(), kTokenBucketEdges.end(), value) - kTokenBucketEdges.begin());
}

}  // namespace scenarios
