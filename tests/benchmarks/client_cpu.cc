// Benchmark: CPU that the load client spends per streamed request, as a ratio to wrk on the same server in the same run.
// Called by main.cc. It never asserts a time: the machine is shared; only ratios of interleaved runs are kept.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "bench/shell/runner.h"
#include "core/net/http_server.h"
#include "scenarios/scenario.h"
#include "tests/benchmarks/benchmarks.h"

namespace {

constexpr int kTokens = 50;
constexpr int kConcurrency = 16;
constexpr int kRequests = 20'000;
constexpr int kRounds = 3;

std::string chunked(const std::string& data) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + data + "\r\n";
}

/// A whole streamed completion of kTokens chunks as it goes over the wire.
std::string canned_response() {
  std::string text = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string head = "data: {\"id\":\"cmpl-0123456789abcdef0123456789abcdef\",\"object\":\"text_completion\",\"created\":1760000000,"
                           "\"model\":\"Qwen/Qwen2.5-3B-Instruct\",\"choices\":[";
  for (int i = 0; i < kTokens; ++i) {
    const std::string finish = i + 1 == kTokens ? "\"length\"" : "null";
    text += chunked(head + "{\"index\":0,\"text\":\" token\",\"logprobs\":null,\"finish_reason\":" + finish +
                    ",\"stop_reason\":null,\"prompt_token_ids\":null,\"token_ids\":null}]}\n\n");
  }
  text += chunked(head + "],\"usage\":{\"prompt_tokens\":8,\"total_tokens\":58,\"completion_tokens\":50}}\n\n");
  return text + chunked("data: [DONE]\n\n") + "0\r\n\r\n";
}

/// The server: a process of its own, so that its CPU is not the client's. Returns its port through `ready_fd`.
[[noreturn]] void serve(int ready_fd) {
  core::net::Loop loop;
  const std::string response = canned_response();
  auto server = core::net::HttpServer::listen(loop, {}, [&](core::net::HttpExchange& exchange) {
    if (exchange.request().method == "GET") {
      exchange.respond(200, {{"Content-Type", "application/json"}},
                       R"({"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"vllm","max_model_len":4096}]})");
      return;
    }
    exchange.write_raw(response);
    exchange.finish_raw(true);
  });
  if (!server) std::_Exit(1);
  const std::string line = std::to_string((*server)->port()) + "\n";
  if (write(ready_fd, line.data(), line.size()) < 0) std::_Exit(1);
  loop.run();
  std::_Exit(0);
}

double cpu_s(int who) {
  rusage usage{};
  getrusage(who, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

/// CPU microseconds per request of our client; negative when a request failed.
double measure_client(const std::string& url) {
  bench::RunRequest request;
  request.target_url = url;
  request.model = "m";
  request.scenario = scenarios::parse_scenario(
                         R"({"schema":"gatebench.scenario","schema_version":"1.0","name":"burst","load":{"model":"closed","concurrency":16},
                         "stop":{"requests":20000},"workloads":[{"name":"w","prompt":{"kind":"unique","tokens":8},"output":{"max_tokens":50}}]})",
                         "benchmark")
                         .value();
  const double before = cpu_s(RUSAGE_SELF);
  const auto run = bench::run_load(request);
  const double spent = cpu_s(RUSAGE_SELF) - before;
  if (!run) {
    std::fprintf(stderr, "error: %s\n", run.error().message.c_str());
    return -1;
  }
  const auto ok = std::count_if(run->records.begin(), run->records.end(), [](const bench::RequestRecord& record) {
    return record.outcome == bench::Outcome::kOk && record.output_tokens == kTokens && record.chunks == kTokens;
  });
  if (ok != kRequests) {
    std::fprintf(stderr, "error: only %td of %d requests came back whole\n", ok, kRequests);
    return -1;
  }
  return spent * 1e6 / kRequests;
}

/// CPU microseconds per request of wrk, which parses no events.
double measure_wrk(const std::string& url, const std::string& folder) {
  const std::string script = folder + "/post.lua";
  std::ofstream(script) << "wrk.method = 'POST'\nwrk.path = '/v1/completions'\nwrk.headers['Content-Type'] = 'application/json'\n"
                           "wrk.body = '{\"model\":\"m\",\"prompt\":\" a b c d e f g h\",\"max_tokens\":50,\"stream\":true}'\n";
  const double before = cpu_s(RUSAGE_CHILDREN);
  const std::string command = "wrk -t1 -c" + std::to_string(kConcurrency) + " -d3s -s " + script + " " + url + " 2>/dev/null";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return -1;
  std::string output;
  char buffer[512];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) output += buffer;
  if (pclose(pipe) != 0) return -1;
  const double spent = cpu_s(RUSAGE_CHILDREN) - before;
  const auto at = output.find(" requests in ");
  if (at == std::string::npos) return -1;
  const auto start = output.rfind('\n', at) + 1;
  const double requests = std::strtod(output.c_str() + start, nullptr);
  return requests > 0 ? spent * 1e6 / requests : -1;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

namespace benchmarks {

std::vector<Row> client_cpu(const std::string& folder) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  const pid_t server = fork();
  if (server == 0) serve(ends[1]);
  char line[32] = {};
  if (read(ends[0], line, sizeof line - 1) <= 0) return {};
  const std::string url = "http://127.0.0.1:" + std::to_string(std::atoi(line));
  std::vector<double> client, wrk, ratio;
  bool whole = true;
  for (int round = 0; round < kRounds && whole; ++round) {
    client.push_back(measure_client(url));
    wrk.push_back(measure_wrk(url, folder));
    whole = client.back() > 0 && wrk.back() > 0;
    ratio.push_back(wrk.back() / client.back());
  }
  kill(server, SIGTERM);
  waitpid(server, nullptr, 0);
  if (!whole) {
    std::fprintf(stderr, "error: a round of client_core_requests_vs_wrk_ratio failed; is wrk installed?\n");
    return {};
  }
  char note[512];
  std::snprintf(note, sizeof note,
                "CPU per request, burst of %d SSE chunks, c=%d, medians of %d interleaved rounds: client %.1f us (every event parsed and "
                "stamped), wrk %.1f us (no events parsed)", kTokens, kConcurrency, kRounds, median(client), median(wrk));
  return {{"client_core_requests_vs_wrk_ratio", median(ratio), 0.35, true, "wrk", note}};
}

}  // namespace benchmarks
