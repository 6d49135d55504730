// The run store: what goes in comes out, whatever happens in between is told apart, broken files are errors.
#include "bench/shell/run_store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "bench/shell/run_codec.h"
#include "core/rng.h"

namespace bench {
namespace {

using LoadRun = bench::Run;

class RunStoreTest : public testing::Test {
 protected:
  RunStoreTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "gatebench-store-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~RunStoreTest() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string path(std::string_view name = "runs.db") const { return folder_ + "/" + std::string(name); }
  std::unique_ptr<RunStore> open(RunStore::Mode mode = RunStore::Mode::kReadWrite) {
    auto store = RunStore::open(path(), mode);
    EXPECT_TRUE(store.has_value()) << store.error().message;
    return std::move(*store);
  }
  std::string folder_;
};

RunManifest manifest_of(std::string id, std::string started_at = "2026-01-01T00:00:00.000Z") {
  RunManifest m;
  m.id = std::move(id);
  m.status = RunStatus::kCompleted;
  m.started_at = std::move(started_at);
  m.duration = Duration(1'234'567'891);
  m.tool_version = "0.1.0";
  m.command = {"gatebench", "run"};
  m.target_url = "http://127.0.0.1:1";
  m.model = "q \"x\" \xc3\xa9";
  m.cell = {"", "mix", "pattern3", 2, 1, 1, "measure"};
  m.scenario_json = "{\"a\":[1,2]}";
  m.schedule_digest = "00ff";
  m.seed = 0xffffffffffffffffULL;
  m.cell_salt = 7;
  m.replicas = {{"a", "http://h/metrics", true, 128u, 1000u}, {"b", "http://i/metrics", false, {}, {}}};
  m.router_mode = "improved";
  m.cache_state = "salted";
  m.network_delay = Duration(5);
  m.host = {"6.1", "cpu", 2, 0.1, 20000, "bbr"};
  m.labels = {{"k", "v"}};
  return m;
}

RequestRecord random_record(core::Rng& rng, std::uint32_t index) {
  RequestRecord r;
  r.index = index;
  r.session = static_cast<std::uint32_t>(rng.next());
  r.prefix_group = static_cast<std::int32_t>(rng.below(5)) - 1;
  for (Duration* time : {&r.intended, &r.due, &r.dispatched, &r.sent, &r.first_byte, &r.first_token, &r.first_choice,
                         &r.last_token, &r.done}) {
    *time = Duration(static_cast<std::int64_t>(rng.below(1u << 30)) - 1);
  }
  r.prompt_tokens = static_cast<std::uint32_t>(rng.next());
  r.output_tokens = kUnknownCount;
  r.max_tokens = static_cast<std::uint32_t>(rng.below(100));
  r.body_bytes = static_cast<std::uint32_t>(rng.below(10000));
  r.chunks = static_cast<std::uint32_t>(rng.below(100));
  r.http_status = static_cast<std::uint16_t>(rng.below(600));
  r.transport_code = static_cast<std::int16_t>(static_cast<int>(rng.below(100)) - 50);
  r.observed_replica = static_cast<std::uint16_t>(rng.below(3));
  r.workload = static_cast<std::uint16_t>(rng.below(3));
  r.outcome = static_cast<Outcome>(rng.below(8));
  r.observed_source = static_cast<ObservedSource>(rng.below(4));
  r.attempt = 2;
  r.first_token_exact = rng.below(2) == 1;
  r.finished_by_length = rng.below(2) == 1;
  return r;
}

protocol::VllmSnapshot random_snapshot(core::Rng& rng) {
  protocol::VllmSnapshot s;
  s.running = static_cast<double>(rng.below(100));
  s.kv_used_fraction = rng.uniform();
  s.prompt_tokens = 9007199254740993.0;
  s.success = -1.5;
  s.created_unix_s = 1.75e9 + rng.uniform();
  s.block_size_tokens = 128;
  s.request_prompt_tokens.present = true;
  s.request_prompt_tokens.count = 3;
  s.request_prompt_tokens.sum = 1e300;
  s.request_prompt_tokens.bucket_count = 2;
  s.request_prompt_tokens.upper = {0.5, std::numeric_limits<double>::infinity()};
  s.request_prompt_tokens.cumulative = {1, 3};
  s.sim_step.present = true;
  s.model_name = "m";
  return s;
}

LoadRun random_run(std::string id, std::uint64_t seed) {
  core::Rng rng(seed);
  LoadRun run;
  run.manifest = manifest_of(std::move(id));
  for (std::uint32_t i = 0; i < 50; ++i) run.records.push_back(random_record(rng, i));
  // Spans in another order than the records, as requests end in another order than they start.
  for (std::uint32_t i = 50; i > 0; --i) {
    RequestRecord& record = run.records[i - 1];
    record.token_events_begin = static_cast<std::uint32_t>(run.token_events.size());
    record.token_events_count = static_cast<std::uint32_t>(rng.below(4));
    for (std::uint32_t k = 0; k < record.token_events_count; ++k) {
      TokenEvent event;
      event.at = Duration(static_cast<std::int64_t>(rng.below(1u << 31)));
      event.tokens = static_cast<std::uint16_t>(rng.below(65536));
      event.exact = rng.below(2) == 1;
      run.token_events.push_back(event);
    }
  }
  for (std::uint32_t i = 0; i < 5; ++i) {
    ReplicaScrape scrape;
    scrape.replica = static_cast<std::uint16_t>(i % 2);
    scrape.sent = Duration(-5 + static_cast<int>(i));
    scrape.answered = Duration(i);
    scrape.ok = i != 2;
    scrape.torn = i == 3;
    scrape.round = i / 2;
    if (scrape.ok) scrape.values = random_snapshot(rng);
    run.scrapes.push_back(scrape);
  }
  run.observed_names = {"a", "b \"q\"", ""};
  run.error_samples = {"bad \xff byte"};
  run.health.send_lag_p99 = Duration(99);
  run.health.cpu_user_s = 0.1;
  run.health.scrapes = 5;
  run.health.fd_exhausted = true;
  return run;
}

/// All of a record in one comparable text.
std::string text_of(const RequestRecord& r) {
  std::string text;
  for (const Duration time : {r.intended, r.due, r.dispatched, r.sent, r.first_byte, r.first_token, r.first_choice,
                              r.last_token, r.done}) {
    text += std::to_string(time.count()) + ",";
  }
  for (const std::int64_t value :
       {std::int64_t{r.index}, std::int64_t{r.session}, std::int64_t{r.prefix_group}, std::int64_t{r.prompt_tokens},
        std::int64_t{r.cached_tokens}, std::int64_t{r.output_tokens}, std::int64_t{r.max_tokens}, std::int64_t{r.body_bytes},
        std::int64_t{r.chunks}, std::int64_t{r.token_events_begin}, std::int64_t{r.token_events_count},
        std::int64_t{r.http_status}, std::int64_t{r.transport_code}, std::int64_t{r.observed_replica}, std::int64_t{r.workload},
        static_cast<std::int64_t>(r.outcome), static_cast<std::int64_t>(r.observed_source), std::int64_t{r.attempt},
        std::int64_t{r.first_token_exact}, std::int64_t{r.finished_by_length}}) {
    text += std::to_string(value) + ",";
  }
  return text;
}

void expect_equal(const LoadRun& a, const LoadRun& b) {
  EXPECT_EQ(manifest_to_json(a.manifest), manifest_to_json(b.manifest));
  EXPECT_EQ(health_to_json(a.health), health_to_json(b.health));
  ASSERT_EQ(a.records.size(), b.records.size());
  for (std::size_t i = 0; i < a.records.size(); ++i) EXPECT_EQ(text_of(a.records[i]), text_of(b.records[i]));
  ASSERT_EQ(a.token_events.size(), b.token_events.size());
  for (std::size_t i = 0; i < a.token_events.size(); ++i) {
    EXPECT_EQ(a.token_events[i].at, b.token_events[i].at);
    EXPECT_EQ(a.token_events[i].tokens, b.token_events[i].tokens);
    EXPECT_EQ(a.token_events[i].exact, b.token_events[i].exact);
  }
  ASSERT_EQ(a.scrapes.size(), b.scrapes.size());
  for (std::size_t i = 0; i < a.scrapes.size(); ++i) {
    const ReplicaScrape &x = a.scrapes[i], &y = b.scrapes[i];
    EXPECT_EQ(x.replica, y.replica);
    EXPECT_EQ(x.sent, y.sent);
    EXPECT_EQ(x.answered, y.answered);
    EXPECT_EQ(x.ok, y.ok);
    EXPECT_EQ(x.torn, y.torn);
    EXPECT_EQ(x.round, y.round);
    std::string one, two;
    encode_snapshot(x.values, one);
    encode_snapshot(y.values, two);
    EXPECT_EQ(one, two);
  }
  EXPECT_EQ(a.observed_names, b.observed_names);
}

TEST(SnapshotCodec, DecodeTimeIsKeptAndBlobsWithoutItAreStillRead) {
  protocol::VllmSnapshot snapshot, back;
  std::string before, after;
  snapshot.success = 3;
  encode_snapshot(snapshot, before);
  // Bytes as the first version wrote them: a bit for `success`, its value, an empty name.
  EXPECT_EQ(before, std::string("\x80\x04\x06\x00", 4));
  snapshot.decode_time.present = true;
  snapshot.decode_time.sum = 0.1;
  snapshot.prefill_time.present = true;
  snapshot.prefill_time.count = 9;
  encode_snapshot(snapshot, after);
  ASSERT_TRUE(decode_snapshot(after, back));
  EXPECT_EQ(back.decode_time.sum, 0.1);
  EXPECT_EQ(back.prefill_time.count, 9);
  ASSERT_TRUE(decode_snapshot(before, back));
  EXPECT_FALSE(back.decode_time.present);
  EXPECT_EQ(back.success, 3.0);
}

TEST_F(RunStoreTest, RoundTripIsExact) {
  const LoadRun run = random_run("RUN1", 1), other = random_run("RUN2", 2);
  {
    auto store = open();
    ASSERT_TRUE(store->begin_run(run.manifest));
    ASSERT_TRUE(store->save_run(run));
    ASSERT_TRUE(store->save_run(other));
  }
  auto store = open(RunStore::Mode::kReadOnly);
  const auto loaded = store->load_run("RUN1");
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  expect_equal(*loaded, run);
  expect_equal(*store->load_run("RUN2"), other);
  EXPECT_EQ(loaded->error_samples, std::vector<std::string>{"bad \xef\xbf\xbd byte"});
  EXPECT_FALSE(store->save_run(run));
}

TEST_F(RunStoreTest, SavingAgainReplaces) {
  auto store = open();
  ASSERT_TRUE(store->save_run(random_run("RUN1", 1)));
  ASSERT_TRUE(store->set_label("RUN1", "kept"));
  LoadRun smaller = random_run("RUN1", 5);
  smaller.records.resize(3);
  smaller.scrapes.clear();
  ASSERT_TRUE(store->save_run(smaller));
  const auto loaded = store->load_run("RUN1");
  EXPECT_EQ(loaded->records.size(), 3u);
  EXPECT_TRUE(loaded->scrapes.empty());
  EXPECT_EQ(store->list()->front().label, "kept");
}

TEST_F(RunStoreTest, ADeadWritersRunKeepsWhatItAppendedAndIsAborted) {
  const LoadRun run = random_run("RUN1", 1);
  const pid_t child = fork();
  if (child == 0) {
    auto store = RunStore::open(path(), RunStore::Mode::kReadWrite);
    bool ok = store.has_value() && (*store)->begin_run(run.manifest).has_value();
    RunBatch batch;
    for (const std::uint32_t index : {4u, 2u}) {
      const RequestRecord& record = run.records[index];
      batch.records.push_back(record);
      for (std::uint32_t k = 0; k < record.token_events_count; ++k) {
        batch.token_events.push_back(run.token_events[record.token_events_begin + k]);
      }
    }
    batch.scrapes = {run.scrapes[0]};
    batch.observed_names = run.observed_names;
    ok = ok && (*store)->append("RUN1", batch).has_value();
    batch = {};
    batch.scrapes = {run.scrapes[1]};
    batch.scrapes_before = 1;
    ok = ok && (*store)->append("RUN1", batch).has_value();
    if (ok) kill(getpid(), SIGKILL);
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto store = open(RunStore::Mode::kReadOnly);
  const auto listed = store->list();
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ(listed->front().status, RunStatus::kAborted);
  EXPECT_EQ(listed->front().requests, 2u);
  const auto loaded = store->load_run("RUN1");
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_EQ(loaded->manifest.status, RunStatus::kAborted);
  ASSERT_EQ(loaded->records.size(), 2u);
  EXPECT_EQ(text_of(loaded->records[0]), text_of(run.records[2]));
  EXPECT_EQ(text_of(loaded->records[1]), text_of(run.records[4]));
  for (std::uint32_t k = 0; k < run.records[4].token_events_count; ++k) {
    const std::size_t at = run.records[4].token_events_begin + k;
    EXPECT_EQ(loaded->token_events[at].at, run.token_events[at].at);
  }
  EXPECT_EQ(loaded->scrapes.size(), 2u);
}

TEST_F(RunStoreTest, ALivingWritersRunIsRunning) {
  auto store = open();
  ASSERT_TRUE(store->begin_run(manifest_of("RUN1")));
  EXPECT_EQ(store->list()->front().status, RunStatus::kRunning);
  EXPECT_EQ(store->load_run("RUN1")->manifest.status, RunStatus::kRunning);
  EXPECT_FALSE(store->append("OTHER", RunBatch{}));
}

TEST_F(RunStoreTest, ListIsNewestFirstAndFiltersByExperiment) {
  auto store = open();
  for (const int i : {1, 3, 2}) {
    LoadRun run = random_run("RUN" + std::to_string(i), 1);
    run.manifest.started_at = "2026-01-0" + std::to_string(i) + "T00:00:00.000Z";
    run.manifest.cell.experiment_id = i == 2 ? "EXP" : "";
    ASSERT_TRUE(store->save_run(run));
  }
  const auto all = store->list();
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ((*all)[0].id, "RUN3");
  EXPECT_EQ((*all)[2].id, "RUN1");
  EXPECT_EQ((*all)[0].requests, 50u);
  EXPECT_GT((*all)[0].succeeded, 0u);
  EXPECT_DOUBLE_EQ((*all)[0].duration_s, 1.234567891);
  const auto some = store->list("EXP");
  ASSERT_EQ(some->size(), 1u);
  EXPECT_EQ(some->front().id, "RUN2");
  EXPECT_EQ(some->front().scenario, "mix");
}

TEST_F(RunStoreTest, References) {
  auto store = open();
  EXPECT_FALSE(store->resolve("latest"));
  int day = 0;
  for (const std::string_view id : {"01AAA1", "01AAB2", "01CCC3"}) {
    LoadRun run = random_run(std::string(id), 1);
    run.manifest.started_at = "2026-01-0" + std::to_string(++day);
    ASSERT_TRUE(store->save_run(run));
  }
  ASSERT_TRUE(store->set_label("01AAA1", "base"));
  EXPECT_EQ(store->resolve("01AAA1")->id, "01AAA1");
  EXPECT_EQ(store->resolve("01c")->id, "01CCC3");
  EXPECT_EQ(store->resolve("base")->id, "01AAA1");
  EXPECT_EQ(store->resolve("latest")->id, "01CCC3");
  EXPECT_FALSE(store->resolve("latest")->is_experiment);
  const auto several = store->resolve("01AA");
  ASSERT_FALSE(several.has_value());
  EXPECT_NE(several.error().message.find("01AAA1, 01AAB2"), std::string::npos);
  EXPECT_FALSE(store->resolve("zzz").has_value());
  EXPECT_FALSE(store->resolve("").has_value());
  EXPECT_FALSE(store->set_label("nope", "x"));
  ASSERT_TRUE(store->save_experiment({"01DDD4", "demo", "2026-01-09", "{}"}));
  EXPECT_TRUE(store->resolve("latest")->is_experiment);
  EXPECT_EQ(store->resolve("01D")->id, "01DDD4");
  EXPECT_TRUE(store->resolve("demo")->is_experiment);
}

TEST_F(RunStoreTest, ExperimentsAndRemoval) {
  auto store = open();
  ASSERT_TRUE(store->save_experiment({"E1", "demo", "2026-01-01", "{\"a\":1}"}));
  LoadRun run = random_run("R1", 1);
  run.manifest.cell.experiment_id = "E1";
  ASSERT_TRUE(store->save_run(run));
  ASSERT_TRUE(store->save_run(random_run("R2", 1)));
  EXPECT_EQ(store->load_experiment("E1")->config_json, "{\"a\":1}");
  EXPECT_EQ(store->list_experiments()->size(), 1u);
  ASSERT_TRUE(store->remove("E1"));
  EXPECT_TRUE(store->list_experiments()->empty());
  ASSERT_EQ(store->list()->size(), 1u);
  ASSERT_TRUE(store->remove("R2"));
  EXPECT_TRUE(store->list()->empty());
  EXPECT_FALSE(store->remove("R2"));
  EXPECT_FALSE(store->load_run("R2"));
  EXPECT_FALSE(store->load_experiment("E1"));
}

TEST_F(RunStoreTest, OtherFilesAreRefusedWithAReason) {
  const auto message_of = [this](std::string_view name, RunStore::Mode mode, core::ErrorCode code) {
    const auto store = RunStore::open(path(name), mode);
    EXPECT_FALSE(store.has_value());
    if (store.has_value()) return std::string();
    EXPECT_EQ(store.error().code, code) << store.error().message;
    EXPECT_FALSE(store.error().hint.empty());
    return store.error().message;
  };
  EXPECT_NE(message_of("none.db", RunStore::Mode::kReadOnly, core::ErrorCode::kInvalid).find("there is no run store"), std::string::npos);
  EXPECT_NE(message_of("no/such/folder.db", RunStore::Mode::kReadWrite, core::ErrorCode::kIo).find("cannot be opened"), std::string::npos);
  std::ofstream(path("text.db")) << std::string(5000, 'x');
  for (const auto mode : {RunStore::Mode::kReadOnly, RunStore::Mode::kReadWrite}) {
    EXPECT_NE(message_of("text.db", mode, core::ErrorCode::kInvalid).find("not an SQLite file"), std::string::npos);
  }
  std::ofstream(path("empty.db")).flush();
  message_of("empty.db", RunStore::Mode::kReadOnly, core::ErrorCode::kInvalid);
}

TEST_F(RunStoreTest, NewerVersionIsRefused) {
  open().reset();
  {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(60);  // the header's user_version, big-endian
    file.write("\0\0\0\x63", 4);
  }
  const auto store = RunStore::open(path(), RunStore::Mode::kReadOnly);
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, core::ErrorCode::kInvalid);
  EXPECT_NE(store.error().message.find("version 99"), std::string::npos) << store.error().message;
}

TEST_F(RunStoreTest, DamageIsAnError) {
  {
    auto store = open();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(store->save_run(random_run("RUN" + std::to_string(i), 1)));
  }
  const auto size = std::filesystem::file_size(path());
  {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    for (std::uintmax_t at = 4096; at < size; at += 512) {
      file.seekp(static_cast<std::streamoff>(at));
      file.write("\xde\xad\xbe\xef\xde\xad\xbe\xef", 8);
    }
  }
  const auto store = RunStore::open(path(), RunStore::Mode::kReadOnly);
  bool failed = !store.has_value();
  for (int i = 0; i < 20 && !failed; ++i) failed = !(*store)->load_run("RUN" + std::to_string(i)).has_value();
  EXPECT_TRUE(failed);
}

TEST_F(RunStoreTest, AFullDiskIsAnErrorAndLeavesTheStoreWhole) {
  auto store = open();
  ASSERT_TRUE(store->save_run(random_run("RUN1", 1)));
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{std::filesystem::file_size(path("runs.db-wal")) + 8192, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  LoadRun large = random_run("RUN2", 2);
  large.manifest.scenario_json.assign(1 << 20, 'x');
  const auto saved = store->save_run(large);
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(saved.has_value());
  EXPECT_EQ(saved.error().code, core::ErrorCode::kIo);
  EXPECT_NE(saved.error().message.find(path()), std::string::npos);
  EXPECT_FALSE(store->load_run("RUN2").has_value());
  expect_equal(*store->load_run("RUN1"), random_run("RUN1", 1));
  EXPECT_TRUE(store->save_run(large));
}

TEST(RunCodec, DamagedBlobsAreErrorsNotCrashes) {
  core::Rng rng(3);
  std::string blob;
  encode_snapshot(random_snapshot(rng), blob);
  protocol::VllmSnapshot snapshot;
  for (std::size_t length = 0; length < blob.size(); ++length) {
    EXPECT_FALSE(decode_snapshot(std::string_view(blob).substr(0, length), snapshot));
  }
  for (int i = 0; i < 20'000; ++i) {
    std::string noise = blob;
    const auto at = rng.below(noise.size());
    noise[at] = static_cast<char>(rng.below(256));
    static_cast<void>(decode_snapshot(noise, snapshot));
  }
  std::vector<TokenEvent> events(3);
  events[1].at = Duration(-5);
  events[2].at = Duration(std::numeric_limits<std::int64_t>::max());
  encode_token_events(events, blob);
  std::vector<TokenEvent> back(3);
  ASSERT_TRUE(decode_token_events(blob, back));
  EXPECT_EQ(back[2].at, events[2].at);
  EXPECT_EQ(back[1].at, events[1].at);
  back.resize(2);
  EXPECT_FALSE(decode_token_events(blob, back));
  back.resize(4);
  EXPECT_FALSE(decode_token_events(blob, back));
}

TEST(RunCodec, BrokenJsonIsAnError) {
  for (const std::string_view text : {"", "{}", "[]", "{\"id\":1}", "nonsense"}) {
    EXPECT_FALSE(manifest_from_json(text).has_value()) << text;
    EXPECT_FALSE(health_from_json(text).has_value()) << text;
  }
  EXPECT_FALSE(texts_from_json("{\"a\":1}").has_value());
}

TEST(Ulid, SortsByTimeAndIsNeverTheSame) {
  const std::string first = new_ulid();
  EXPECT_EQ(first.size(), 26u);
  EXPECT_EQ(first.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ"), std::string::npos);
  std::set<std::string> all;
  for (int i = 0; i < 1000; ++i) all.insert(new_ulid());
  EXPECT_EQ(all.size(), 1000u);
  EXPECT_LE(first.substr(0, 10), all.rbegin()->substr(0, 10));
}

}  // namespace
}  // namespace bench
