// Header names that client, router, simulator and analyzers share. Sources: Gateway API inference extension proposal
// 004 (served endpoint), llm-d-inference-sim (x-inference-pod), vLLM (X-Request-Id).
#pragma once

#include <string_view>

namespace protocol {

inline constexpr std::string_view kServedEndpointHeader = "x-gateway-destination-endpoint-served";
inline constexpr std::string_view kDestinationEndpointHeader = "x-gateway-destination-endpoint";
inline constexpr std::string_view kEndpointScoresHeader = "x-gateway-destination-endpoint-scores";
inline constexpr std::string_view kInferencePodHeader = "x-inference-pod";
inline constexpr std::string_view kRequestIdHeader = "x-request-id";
inline constexpr std::string_view kDroppedReasonHeader = "x-llm-d-request-dropped-reason";

}  // namespace protocol
