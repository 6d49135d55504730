// Scraper and preflight against a server of pages: filtering by name, resets, tokens, and every way to be wrong.
#include <gtest/gtest.h>

#include <fstream>

#include "bench/shell/replica_preflight.h"
#include "bench/shell/scraper.h"
#include "core/net/child_process.h"
#include "tests/bench/metrics_pages.h"
#include "tests/support/process.h"

namespace bench {
namespace {

std::string vllm_page(int finished, const std::string& created) {
  return "vllm:request_success_total{finished_reason=\"stop\"} " + std::to_string(finished) + "\nvllm:num_requests_running 0\n" +
         "vllm:request_success_created{finished_reason=\"stop\"} " + created + "\n";
}

class ScraperTest : public testing::Test {
 protected:
  ScraperTest() {
    core::net::HttpClientOptions options;
    options.kernel_stamps = false;
    client_ = std::move(*core::net::HttpClient::create(loop_, options));
  }
  void rounds(Scraper& scraper, int count) {
    for (int i = 0; i < count; ++i) {
      bool done = false;
      scraper.round([&] {
        done = true;
        loop_.stop();
      });
      while (!done) loop_.run();
    }
  }
  core::net::Loop loop_;
  std::unique_ptr<core::net::HttpClient> client_;
  MetricsPages pages_;
};

TEST_F(ScraperTest, AServerThatFiltersIsAskedByName) {
  const std::string part = vllm_page(3, "1.5");
  pages_.set("/metrics", {200, part + std::string(5000, '\n') + "# much more\n", 200, part, ""});
  Scraper scraper(loop_, *client_, {{"a", pages_.url("/metrics"), {}}}, {});
  rounds(scraper, 4);
  EXPECT_TRUE(scraper.filtered(0));
  EXPECT_EQ(pages_.asked("/metrics", false), 1);
  EXPECT_EQ(pages_.asked("/metrics", true), 3);
  EXPECT_EQ(scraper.count(), 4u);
  ClientHealth health;
  scraper.fill(health);
  EXPECT_EQ(health.failed_scrapes, 0u);
  EXPECT_LT(health.scrape_bytes_mean, 2000);
}

TEST_F(ScraperTest, AServerThatRefusesOrIgnoresNamesIsReadWhole) {
  const std::string whole = vllm_page(3, "1.5");
  pages_.set("/refuses", {200, whole, 400, "unknown parameter", ""});
  pages_.set("/ignores", {200, whole, 0, "", ""});
  pages_.set("/empties", {200, whole, 200, "# nothing\n", ""});
  Scraper scraper(loop_, *client_,
                  {{"a", pages_.url("/refuses"), {}}, {"b", pages_.url("/ignores"), {}}, {"c", pages_.url("/empties"), {}}}, {});
  rounds(scraper, 3);
  for (const char* path : {"/refuses", "/ignores", "/empties"}) EXPECT_EQ(pages_.asked(path, true), 1) << path;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(scraper.filtered(i));
    EXPECT_EQ(scraper.newest(i)->success, 3.0);
  }
  EXPECT_EQ(scraper.count(), 9u);
  for (const auto& scrape : scraper.copy_from(0, {})) EXPECT_TRUE(scrape.ok);
}

TEST_F(ScraperTest, NamesAreNotTriedWhenSwitchedOff) {
  pages_.set("/metrics", {200, vllm_page(3, "1.5"), 400, "", ""});
  ScrapeOptions options;
  options.name_filter = false;
  Scraper scraper(loop_, *client_, {{"a", pages_.url("/metrics"), {}}}, options);
  rounds(scraper, 3);
  EXPECT_EQ(pages_.asked("/metrics", true), 0);
}

TEST_F(ScraperTest, ResetsAreCountedByFallAndByStartTime) {
  ScrapeOptions options;
  options.name_filter = false;
  Scraper scraper(loop_, *client_, {{"a", pages_.url("/metrics"), {}}}, options);
  for (const auto& [finished, created] : std::vector<std::pair<int, const char*>>{{5, "1.5"}, {7, "1.5"}, {2, "1.5"}, {9, "2.5"}, {9, "2.5"}}) {
    pages_.set("/metrics", {200, vllm_page(finished, created), 0, "", ""});
    rounds(scraper, 1);
  }
  ClientHealth health;
  scraper.fill(health);
  EXPECT_EQ(health.counter_resets, 2u);
}

TEST_F(ScraperTest, TheTokenGoesWithEveryScrape) {
  pages_.set("/metrics", {200, vllm_page(1, "1.5"), 0, "", "metrics-secret"});
  Scraper with(loop_, *client_, {{"a", pages_.url("/metrics"), {}}}, {}, "metrics-secret");
  rounds(with, 1);
  EXPECT_NE(with.newest(0), nullptr);
  Scraper without(loop_, *client_, {{"a", pages_.url("/metrics"), {}}}, {});
  rounds(without, 1);
  EXPECT_NE(without.problem(0).find("status 401"), std::string::npos);
}

TEST(ReplicaPreflight, EveryProblemIsNamedAtOnce) {
  MetricsPages pages;
  pages.set("/good", {200, vllm_page(1, "1.5"), 0, "", ""});
  pages.set("/closed", {200, vllm_page(1, "1.25"), 0, "", "metrics-secret"});
  pages.set("/html", {200, "<html>hello</html>", 0, "", ""});
  pages.set("/json", {200, "[{\"iter\":1}]", 0, "", ""});
  pages.set("/node", {200, "node_load1 0.5\n", 0, "", ""});
  const std::string tls = "https" + pages.url("/good").substr(4);
  const std::vector<ReplicaTarget> targets{{"good", pages.url("/good"), {}}, {"closed", pages.url("/closed"), {}},
                                           {"html", pages.url("/html"), {}}, {"json", pages.url("/json"), {}},
                                           {"node", pages.url("/node"), {}}, {"gone", pages.url("/gone"), {}},
                                           {"down", "http://127.0.0.1:1/metrics", {}}, {"tls", tls, {}}};
  const auto checked = preflight_replicas(targets, {"", false, "wrong-secret"});
  ASSERT_TRUE(checked.has_value());
  const auto verdict = checked->verdict(targets);
  ASSERT_FALSE(verdict.has_value());
  EXPECT_EQ(verdict.error().code, core::ErrorCode::kInvalid);
  const std::string& message = verdict.error().message;
  EXPECT_EQ(message.find("replica good"), std::string::npos) << message;
  EXPECT_NE(message.find("replica closed: GET " + pages.url("/closed") + " was answered with status 401"), std::string::npos) << message;
  EXPECT_NE(message.find("/html is no Prometheus text"), std::string::npos) << message;
  EXPECT_NE(message.find("/node has no metrics of vLLM"), std::string::npos) << message;
  EXPECT_NE(message.find("/gone was answered with status 404"), std::string::npos) << message;
  EXPECT_NE(message.find("replica down: GET http://127.0.0.1:1/metrics failed in phase \"connect\""), std::string::npos) << message;
  EXPECT_NE(message.find("failed in phase \"TLS handshake\""), std::string::npos) << message;
  const std::string& hint = verdict.error().hint;
  for (const char* part : {"token", "/prometheus/metrics", "--metrics-cacert"}) EXPECT_NE(hint.find(part), std::string::npos) << hint;
  EXPECT_EQ((message + hint).find("wrong-secret"), std::string::npos);
  const auto notes = checked->notes(targets);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0].substr(0, 50), "replica good: vLLM exports no sums of prompt token");
}

TEST(ReplicaPreflight, AnHttpsPageWantsItsAuthority) {
  const support::ScratchFolder folder;
  const std::string key = folder.file("key.pem"), certificate = folder.file("cert.pem");
  auto make = core::net::ChildProcess::run_program({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                                                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
                                                    "-out", certificate});
  ASSERT_TRUE(make.has_value());
  if (!make->read_all(std::chrono::seconds(60), 1u << 20)) GTEST_SKIP() << "no openssl program: https is not tried";
  std::ofstream(folder.file("metrics")) << vllm_page(2, "1.5");
  // It serves files of its folder, one connection after another, and says which port the kernel gave it.
  auto server = core::net::ChildProcess::run_program({"sh", "-c", "cd " + folder.path() + " && exec openssl s_server -accept 127.0.0.1:0 -key " +
                                                                      key + " -cert " + certificate + " -WWW"});
  ASSERT_TRUE(server.has_value());
  std::string said;
  for (int tries = 0; tries < 3 && said.find("ACCEPT") == std::string::npos; ++tries) {
    const auto line = server->wait_ready(std::chrono::seconds(20));
    ASSERT_TRUE(line.has_value()) << server->errors();
    said += *line + "\n";
  }
  const auto colon = said.rfind(':');
  ASSERT_NE(colon, std::string::npos) << said;
  const std::string url = "https://127.0.0.1:" + std::to_string(std::stoi(said.substr(colon + 1))) + "/metrics";
  const std::vector<ReplicaTarget> targets{{"a", url, {}}};
  const auto unknown = preflight_replicas(targets, {})->verdict(targets);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().message.find("TLS handshake"), std::string::npos) << unknown.error().message;
  EXPECT_NE(unknown.error().hint.find("--metrics-cacert"), std::string::npos);
  const auto trusted = preflight_replicas(targets, {certificate, false, ""});
  EXPECT_TRUE(trusted->verdict(targets).has_value()) << trusted->verdict(targets).error().message;
  EXPECT_EQ(trusted->replicas[0].values.success, 2.0);
  EXPECT_TRUE(preflight_replicas(targets, {"", true, ""})->verdict(targets).has_value());
}

TEST(ReplicaPreflight, APodThatMayNotBeProxiedIsAQuestionOfRights) {
  MetricsPages pages;
  pages.set("/api/v1/namespaces/llm/pods/a:8000/proxy/metrics", {403, "{}", 0, "", ""});
  const std::vector<ReplicaTarget> targets{{"a", pages.url("/api/v1/namespaces/llm/pods/a:8000/proxy/metrics"), {}}};
  const auto verdict = preflight_replicas(targets, {})->verdict(targets);
  ASSERT_FALSE(verdict.has_value());
  EXPECT_NE(verdict.error().hint.find("pods/proxy"), std::string::npos) << verdict.error().hint;
}

TEST(ReplicaPreflight, OnlyUnreachableOnesAreUnreachable) {
  const std::vector<ReplicaTarget> targets{{"down", "http://127.0.0.1:1/metrics", {}}};
  EXPECT_EQ(preflight_replicas(targets, {})->verdict(targets).error().code, core::ErrorCode::kUnreachable);
}

TEST(ReplicaPreflight, TwoUrlsOfOneProcessAreFound) {
  MetricsPages pages;
  pages.set("/one", {200, vllm_page(1, "1.5"), 0, "", ""});
  pages.set("/again", {200, vllm_page(2, "1.5"), 0, "", ""});
  pages.set("/other", {200, vllm_page(2, "1.75"), 0, "", ""});
  const std::vector<ReplicaTarget> targets{{"a", pages.url("/one"), {}}, {"b", pages.url("/other"), {}}, {"c", pages.url("/again"), {}}};
  const auto verdict = preflight_replicas(targets, {})->verdict(targets);
  ASSERT_FALSE(verdict.has_value());
  EXPECT_EQ(verdict.error().message, "replicas a and c are evidently one process: both pages carry the same start times");
  EXPECT_EQ(verdict.error().hint, "give each replica its own URL");
}

}  // namespace
}  // namespace bench
