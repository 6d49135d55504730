// Generation: the completion routes of a simulated replica. Checks requests as vLLM does, carries them through the
// simulated network and the engine, writes the answers. Owned by the replica server, on its loop's thread.
// A handler never calls the engine: requests, aborts and steps meet in pump() alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/net/http_server.h"
#include "core/net/loop.h"
#include "core/rng.h"
#include "protocol/openai.h"
#include "simulator/engine/engine.h"
#include "simulator/server/delay_line.h"
#include "simulator/server/http_metrics.h"
#include "simulator/server/replica_server.h"

namespace simulator {

/// An answer that needs no engine.
struct Refusal {
  int status = 400;
  std::string body;
};

class Generation final : private EngineSink {
 public:
  Generation(core::net::Loop& loop, const ReplicaOptions& options, std::unique_ptr<Engine> engine, HttpMetrics& http);

  /// Takes over one POST of a completion route.
  void handle(protocol::Api api, core::net::HttpExchange& exchange);
  /// Requests that are neither answered nor gone.
  [[nodiscard]] std::size_t open() const { return streams_.size() - free_.size(); }
  [[nodiscard]] Engine& engine() { return *engine_; }
  [[nodiscard]] const core::net::Headers& json_headers() const { return json_headers_; }
  [[nodiscard]] Faults& faults() { return faults_; }

 private:
  struct Stream {
    core::net::HttpExchange* exchange = nullptr;
    std::uint32_t generation = 0;
    bool streaming = false, include_usage = false, continuous_usage = false;
    bool response_started = false, submitted = false;
    protocol::Api api = protocol::Api::kCompletions;
    protocol::ResponseIdentity identity;
    RequestId engine_id;
    core::TimePoint received{};
    std::uint64_t request_bytes = 0;
    std::string text;                       ///< whole answer of a request that does not stream
    std::vector<protocol::TokenId> prompt;
    std::string cache_salt;
    std::uint32_t max_tokens = 0, min_tokens = 0;
    std::uint64_t seed = 0;
    bool ignore_eos = false;
  };
  /// Slot and generation of a stream: stale when the generation differs.
  struct StreamRef {
    std::uint32_t slot = 0, generation = 0;
  };
  enum class Part : std::uint8_t { kChunk, kLastChunk, kWhole, kCut };
  struct Outgoing {
    StreamRef to;
    Part part = Part::kChunk;
    std::string bytes;
  };

  void on_token(const TokenEvent& event) override { events_.push_back(event); }
  void on_step(const StepEvent& event) override;

  bool misbehaves(core::net::HttpExchange& exchange, std::string_view handler);
  bool prepare(protocol::Api api, const core::net::HttpRequest& request, Stream& stream, Refusal& refusal);
  bool take_prompt(protocol::ParsedRequest& parsed, Stream& stream, Refusal& refusal);
  void answer_now(core::net::HttpExchange& exchange, std::string_view handler, int status, std::string_view body);
  std::string request_id(const core::net::HttpRequest& request);

  void pump();
  void take_arrivals(core::TimePoint now);
  void deliver(const TokenEvent& event);
  /// A part without bytes, at engine time `at` and half a round trip.
  void send(StreamRef to, Part part, core::TimePoint at);
  Part write_part(Stream& stream, const TokenEvent& event, std::string& out);
  void apply(StreamRef to, Part part, std::string_view bytes);
  void ended(StreamRef ref, int status, std::uint64_t response_bytes);
  void rearm();
  [[nodiscard]] Stream* find(StreamRef ref);

  core::net::Loop& loop_;
  const ReplicaOptions& options_;
  std::unique_ptr<Engine> engine_;
  HttpMetrics& http_;
  Faults faults_;
  core::Rng rng_;
  core::net::Timer timer_;
  core::net::Headers json_headers_, stream_headers_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<std::uint32_t> free_;
  DelayLine<StreamRef> arrivals_;
  DelayLine<Outgoing> outgoing_;
  std::vector<RequestId> aborts_;
  std::vector<TokenEvent> events_;
  std::string scratch_;
  core::TimePoint now_{}, armed_for_{};
  std::uint64_t requests_seen_ = 0;
  bool pumping_ = false;
};

}  // namespace simulator
