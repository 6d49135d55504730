// Counts operator new in this test binary: route() must not allocate once warm.
#pragma once

#include <cstddef>

namespace router::test {

/// Allocations made by this thread so far.
std::size_t allocations();

}  // namespace router::test
