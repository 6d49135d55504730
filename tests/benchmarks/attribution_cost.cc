// Benchmark: CPU and memory that attribution of 100,000 responses takes, on simulated counters, with and without a
// watermark, clean and impaired. Called by main.cc. Each case is a process of its own, so that its peak is its own.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "analyzers/attribution.h"
#include "tests/benchmarks/benchmarks.h"
#include "tests/support/simulated_gateway.h"

namespace {

constexpr std::size_t kResponses = 100'000;

struct Cost {
  double cpu_s = 0, peak_mb = 0, coverage = 0;
};

double cpu_s() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// A size from /proc/self/status, MB.
double status_mb(const char* name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(name, 0) == 0) return std::strtod(line.c_str() + std::strlen(name) + 1, nullptr) / 1024;
  }
  return 0;
}

Cost measure(const tests_support::GatewayWorld& world) {
  const auto simulated = tests_support::simulate_gateway(world);
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak starts anew: the simulation is not the decoder's
  const double held_mb = status_mb("VmRSS"), began_s = cpu_s();
  const auto facts = analyzers::facts_of(simulated.run);
  const auto decoded = analyzers::attribute_run(simulated.run, facts);
  Cost out{cpu_s() - began_s, status_mb("VmHWM") - held_mb, 0};
  const auto claims = std::count_if(decoded.of_record.begin(), decoded.of_record.end(), [](const auto& a) { return a.replica >= 0; });
  out.coverage = static_cast<double>(claims) / static_cast<double>(decoded.of_record.size());
  return out;
}

bool measure_apart(const tests_support::GatewayWorld& world, Cost& out) {
  int ends[2];
  if (pipe(ends) != 0) return false;
  const pid_t child = fork();
  if (child == 0) {
    const Cost cost = measure(world);
    std::_Exit(write(ends[1], &cost, sizeof cost) == static_cast<ssize_t>(sizeof cost) ? 0 : 1);
  }
  close(ends[1]);
  const bool got = child > 0 && read(ends[0], &out, sizeof out) == static_cast<ssize_t>(sizeof out);
  close(ends[0]);
  int status = 0;
  return got && waitpid(child, &status, 0) == child && status == 0;
}

void impair(tests_support::GatewayWorld& world) {
  world.scrape_jitter_ms = 5;
  world.rtt_base_ms = 3;
  world.rtt_mean_ms = 2;
  world.missed_share = 0.01;
  world.foreign_share = 0.02;
  world.held_share = 0.005;
}

}  // namespace

namespace benchmarks {

std::vector<Row> attribution_cost() {
  Cost worst;
  std::string note = "simulated, 100,000 responses, 25/s, scrapes every 100 ms; CPU s, MB, attributed:";
  for (const bool watermark : {true, false}) {
    for (const bool impaired : {false, true}) {
      tests_support::GatewayWorld world;
      world.requests = kResponses;
      if (watermark) world.extra_prompt_tokens = {0, 1, 4, 9, 15, 22, 32, 34};
      if (impaired) impair(world);
      Cost cost;
      if (!measure_apart(world, cost)) return {};
      worst.cpu_s = std::max(worst.cpu_s, cost.cpu_s);
      worst.peak_mb = std::max(worst.peak_mb, cost.peak_mb);
      char text[128];
      std::snprintf(text, sizeof text, " %s%s %.1f s %.0f MB %.2f %%%s", watermark ? "watermarked" : "fixed", impaired ? " impaired" : "", cost.cpu_s,
                    cost.peak_mb, 100 * cost.coverage, watermark || !impaired ? "," : "");
      note += text;
    }
  }
  return {{"attribution_100k_responses_cpu_s", worst.cpu_s, 10, false, "budget, worst of four", note},
          {"attribution_100k_responses_peak_mb", worst.peak_mb, 200, false, "budget, worst of four", "the same runs"}};
}

}  // namespace benchmarks
