// How the parts of a run are written down: manifest, health and names as JSON, token times and snapshots as blobs.
// Used by the run store only. Decoding never trusts its input: a damaged blob is an error, not a crash.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/run.h"
#include "core/result.h"

namespace bench {

[[nodiscard]] std::string manifest_to_json(const RunManifest& manifest);
core::Result<RunManifest> manifest_from_json(std::string_view json);
[[nodiscard]] std::string health_to_json(const ClientHealth& health);
core::Result<ClientHealth> health_from_json(std::string_view json);
[[nodiscard]] std::string texts_to_json(const std::vector<std::string>& texts);
core::Result<std::vector<std::string>> texts_from_json(std::string_view json);

/// Zigzag varint differences in nanoseconds; per event a varint of tokens and exactness. Replaces `blob`.
void encode_token_events(std::span<const TokenEvent> events, std::string& blob);
/// Fills `events`; kProtocol when the blob does not hold exactly that many.
core::Status decode_token_events(std::string_view blob, std::span<TokenEvent> events);

/// Whole numbers as varints, others as 8 bytes; absent values take a bit. Replaces `blob`.
void encode_snapshot(const protocol::VllmSnapshot& snapshot, std::string& blob);
core::Status decode_snapshot(std::string_view blob, protocol::VllmSnapshot& snapshot);

}  // namespace bench
