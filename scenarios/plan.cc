// plan(): decides every request of a run from scenario and seed. Called once per run by the runner, again by analyzers.
// Each purpose draws from its own stream, so that a change to one leaves the others as they are.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/hash.h"
#include "core/rng.h"
#include "scenarios/schedule.h"

namespace scenarios {
namespace {

constexpr std::size_t kMaxPlanned = 20'000'000;

/// A seed that is never 0, from numbers that name a text.
std::uint64_t text_seed(std::uint64_t base, std::uint64_t workload, std::uint64_t number) {
  core::Digest digest;
  digest.add(base);
  digest.add(workload);
  digest.add(number);
  return digest.value() | 1u;
}

std::uint64_t group_key(std::size_t workload, std::uint32_t group) {
  return (std::uint64_t{workload} << 32) | group;
}

/// What a workload needs while its requests are numbered.
struct WorkloadState {
  std::int32_t first_group = -1;
  std::uint32_t number = 0;
  std::vector<std::uint32_t> round;  ///< this round's order of groups
  std::uint64_t template_digest = 0;
  std::vector<bool> numbered;        ///< per text: holds "{i}"
};

class Planner {
 public:
  Planner(const Scenario& scenario, std::uint64_t seed, std::uint64_t cell_salt)
      : scenario_(scenario), root_(seed), mix_(root_.fork("mix")), groups_(root_.fork("groups")),
        arrivals_(root_.fork("arrivals")) {
    // By name too: a text of one scenario must not be the beginning of another's, or their runs would share a cache.
    const std::uint64_t text_base = seed ^ (cell_salt * 0x9e3779b97f4a7c15ULL) ^ core::xxh64(scenario.name);
    core::Rng texts = core::Rng(text_base).fork("prompts");
    prompt_base_ = texts.next();
    prefix_base_ = texts.next();
    schedule_.seed = seed;
    for (const Workload& workload : scenario_.workloads) prepare(workload);
  }

  core::Result<Schedule> run() {
    if (scenario_.workloads.empty()) return core::fail(core::ErrorCode::kInvalid, "the scenario has no workload");
    const auto count = scenario_.stop.requests;
    schedule_.requests.reserve(std::min<std::size_t>(count.value_or(1024), kMaxPlanned));
    if (scenario_.load.model == LoadModel::kClosed) {
      const std::uint32_t planned = count.value_or(kDurationOnlyRequests);
      for (std::uint32_t i = 0; i < planned; ++i) add(Duration{-1});
    } else if (auto status = plan_open(count); !status) {
      return status.error();
    }
    schedule_.digest = digest();
    return std::move(schedule_);
  }

 private:
  void prepare(const Workload& workload) {
    WorkloadState state;
    const PromptSpec& prompt = workload.prompt;
    const bool grouped = prompt.kind == PromptKind::kSharedPrefix;
    if (grouped || prompt.one_group) {
      state.first_group = static_cast<std::int32_t>(schedule_.prefix_groups);
      schedule_.prefix_groups += grouped ? prompt.groups : 1;
    }
    core::Digest digest;
    digest.add(static_cast<std::uint64_t>(prompt.kind));
    for (const std::string& text : prompt.texts) {
      digest.add(text);
      state.numbered.push_back(text.find("{i}") != std::string::npos);
    }
    for (const std::uint32_t size : {prompt.tokens, prompt.prefix_tokens, prompt.suffix_tokens}) {
      digest.add(std::uint64_t{size});
    }
    state.template_digest = digest.value();
    total_weight_ += workload.weight;
    states_.push_back(std::move(state));
  }

  core::Status plan_open(std::optional<std::uint32_t> count) {
    if (!(scenario_.load.rate_rps > 0)) return core::fail(core::ErrorCode::kInvalid, "$.load.rate_rps must be positive");
    double at_s = 0;
    const double limit_s = scenario_.stop.duration ? core::to_seconds(*scenario_.stop.duration) : 1e9;
    for (std::size_t i = 0; !count || i < *count; ++i) {
      if (i == kMaxPlanned) return core::fail(core::ErrorCode::kInvalid, "$.stop: more than 20 million requests");
      at_s = next_arrival(i, at_s);
      if (at_s >= limit_s) break;
      add(core::from_seconds(at_s));
    }
    return {};
  }

  double next_arrival(std::size_t i, double previous_s) {
    const double mean_s = 1.0 / scenario_.load.rate_rps;
    if (scenario_.load.model == LoadModel::kOpenConstant) return static_cast<double>(i) * mean_s;
    const double shape = scenario_.load.burstiness;
    const double gap_s = shape == 1.0 ? arrivals_.exponential(mean_s) : arrivals_.gamma(shape, mean_s / shape);
    return previous_s + gap_s;
  }

  std::size_t draw_workload() {
    if (states_.size() == 1) return 0;
    double rest = mix_.uniform() * total_weight_;
    for (std::size_t i = 0; i + 1 < states_.size(); ++i) {
      rest -= scenario_.workloads[i].weight;
      if (rest < 0) return i;
    }
    return states_.size() - 1;
  }

  /// Groups come in rounds, each round every group once in a drawn order: equal shares, no pattern.
  std::uint32_t draw_group(WorkloadState& state, std::uint32_t groups) {
    if (state.round.empty()) {
      state.round.resize(groups);
      for (std::uint32_t i = 0; i < groups; ++i) state.round[i] = i;
      groups_.shuffle(state.round);
    }
    const std::uint32_t group = state.round.back();
    state.round.pop_back();
    return group;
  }

  void add(Duration intended) {
    const std::size_t index = draw_workload();
    const Workload& workload = scenario_.workloads[index];
    WorkloadState& state = states_[index];
    PlannedRequest request;
    request.intended = intended;
    request.think_time = workload.think_time;
    request.index = static_cast<std::uint32_t>(schedule_.requests.size());
    request.session = request.index;
    request.workload = static_cast<std::uint16_t>(index);
    request.number = ++state.number;
    const std::uint32_t turn = request.number - 1;
    const auto& tokens = workload.output.max_tokens_cycle;
    request.max_tokens = tokens.empty() ? workload.output.max_tokens : tokens[turn % tokens.size()];
    const auto& extra = workload.prompt.cycle_extra_tokens;
    request.extra_tokens = extra.empty() ? 0 : extra[turn % extra.size()];
    const auto& padding = scenario_.pad_body_bytes_cycle;
    request.pad_bytes = padding.empty() ? 0 : padding[request.index % padding.size()];
    request.prompt_seed = text_seed(prompt_base_, index, request.number);
    if (workload.prompt.kind == PromptKind::kSharedPrefix) {
      const std::uint32_t group = draw_group(state, workload.prompt.groups);
      request.prefix_group = state.first_group + static_cast<std::int32_t>(group);
      request.prefix_seed = text_seed(prefix_base_, group_key(index, group), 0);
    } else {
      request.prefix_group = state.first_group;
    }
    request.prompt_digest = prompt_digest(workload, state, request);
    schedule_.requests.push_back(request);
  }

  /// Equal for equal texts within a schedule: only what reaches the text enters.
  static std::uint64_t prompt_digest(const Workload& workload, const WorkloadState& state, const PlannedRequest& request) {
    const bool literal = workload.prompt.kind == PromptKind::kLiteral;
    core::Digest digest;
    digest.add(state.template_digest);
    if (literal) {
      const std::size_t text = (request.number - 1) % workload.prompt.texts.size();
      digest.add(std::uint64_t{text});
      if (state.numbered[text]) digest.add(std::uint64_t{request.number});
    }
    digest.add(std::uint64_t{request.extra_tokens});
    if (!literal || request.extra_tokens > 0) digest.add(request.prompt_seed);
    digest.add(request.prefix_seed);
    return digest.value();
  }

  [[nodiscard]] std::uint64_t digest() const {
    core::Digest digest;
    digest.add(schedule_.seed);
    digest.add(std::uint64_t{schedule_.prefix_groups});
    for (const PlannedRequest& request : schedule_.requests) {
      digest.add(std::int64_t{request.intended.count()});
      digest.add(std::int64_t{request.think_time.count()});
      digest.add((std::uint64_t{request.index} << 32) | request.session);
      digest.add((std::uint64_t{static_cast<std::uint32_t>(request.prefix_group)} << 32) |
                 static_cast<std::uint32_t>(request.after));
      digest.add((std::uint64_t{request.workload} << 32) | request.number);
      digest.add((std::uint64_t{request.max_tokens} << 32) | request.extra_tokens);
      digest.add(request.prompt_seed);
      digest.add(request.prefix_seed);
      digest.add(request.prompt_digest);
      if (request.pad_bytes > 0) digest.add(std::uint64_t{request.pad_bytes});
    }
    return digest.value();
  }

  const Scenario& scenario_;
  core::Rng root_, mix_, groups_, arrivals_;
  std::uint64_t prompt_base_ = 0, prefix_base_ = 0;
  double total_weight_ = 0;
  std::vector<WorkloadState> states_;
  Schedule schedule_;
};

}  // namespace

core::Result<Schedule> plan(const Scenario& scenario, std::uint64_t seed, std::uint64_t cell_salt) {
  return Planner(scenario, seed, cell_salt).run();
}

}  // namespace scenarios
