// The options about replicas: everything wrong at once, the token from the environment and nowhere else.
#include "bench/cli/replica_options.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace bench::cli {
namespace {

/// Sets an option of the table as the parser would.
template <class T>
void set(OptionTable& table, const std::string& name, T value) {
  for (const OptionEntry& entry : table.entries()) {
    if (entry.name == name) **std::get_if<T*>(&entry.target) = std::move(value);
  }
}

struct Given {
  Given() { options.declare(table); }
  OptionTable table;
  ReplicaOptions options;
  RunRequest request;
};

TEST(ReplicaOptions, ReplicasAndLimitsReachTheRequest) {
  setenv("GATEBENCH_TEST_TOKEN", "metrics-secret", 1);
  Given given;
  set(given.table, "replica", std::vector<std::string>{"a=https://10.0.0.1:8000", "b=http://10.0.0.2:8000/prometheus/metrics"});
  set(given.table, "metrics-cacert", std::string("ca.pem"));
  set(given.table, "metrics-token-env", std::string("GATEBENCH_TEST_TOKEN"));
  set(given.table, "scrape-interval", std::optional<core::Duration>(std::chrono::milliseconds(250)));
  set(given.table, "scrape-cost-limit", std::optional<double>(1));
  const auto parsed = given.options.parse(given.request);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  ASSERT_EQ(given.request.replicas.size(), 2u);
  EXPECT_EQ(given.request.replicas[0].metrics_url, "https://10.0.0.1:8000/metrics");
  EXPECT_EQ(given.request.replicas[1].metrics_url, "http://10.0.0.2:8000/prometheus/metrics");
  EXPECT_EQ(given.request.metrics_access.token, "metrics-secret");
  EXPECT_EQ(given.request.metrics_access.ca_file, "ca.pem");
  EXPECT_EQ(given.request.scrape.interval, std::chrono::milliseconds(250));
  EXPECT_EQ(given.request.scrape.cost_limit_ratio, 0.01);
  EXPECT_TRUE(given.request.scrape.name_filter);
}

TEST(ReplicaOptions, EverythingWrongIsSaidAtOnce) {
  Given given;
  set(given.table, "replica", std::vector<std::string>{"nameless", "a=http://h/m", "a=http://i/m", "b=http://h/m"});
  set(given.table, "replicas", std::string("kube:default"));
  set(given.table, "metrics-cacert", std::string("ca.pem"));
  set(given.table, "metrics-insecure", true);
  set(given.table, "scrape-interval", std::optional<core::Duration>(core::Duration{0}));
  set(given.table, "scrape-cost-limit", std::optional<double>(0));
  const auto parsed = given.options.parse(given.request);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().code, core::ErrorCode::kInvalid);
  for (const char* part : {"--replica nameless: write NAME=URL", "the name a is given twice", "a has the same URL",
                           "--replica and --replicas exclude", "--metrics-cacert and --metrics-insecure exclude", "at least 1ms", "above 0"}) {
    EXPECT_NE(parsed.error().message.find(part), std::string::npos) << part << "\n" << parsed.error().message;
  }
  EXPECT_NE(parsed.error().message.find("--replicas kube:default: names no namespace"), std::string::npos) << parsed.error().message;
}

TEST(ReplicaOptions, ATokenInPlaceOfAVariableIsNotEchoed) {
  Given given;
  set(given.table, "replica", std::vector<std::string>{"a=http://h/m"});
  set(given.table, "metrics-token-env", std::string("eyJhbGciOi.secret"));
  const auto parsed = given.options.parse(given.request);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().message.find("secret"), std::string::npos);
  EXPECT_NE(parsed.error().message.find("not the token"), std::string::npos);
}

TEST(ReplicaOptions, MetricsOptionsWithoutReplicasAreAMistake) {
  Given given;
  EXPECT_TRUE(given.options.parse(given.request).has_value());
  set(given.table, "metrics-insecure", true);
  ASSERT_FALSE(given.options.parse(given.request).has_value());
}

}  // namespace
}  // namespace bench::cli
