// See run_rows.h. Columns are bound and read in the order of the table; a span that points outside is an error.
#include "bench/shell/run_rows.h"

#include <fmt/format.h>

#include <map>

#include "bench/shell/run_codec.h"

namespace bench {
namespace {

constexpr std::uint64_t kMaxTokenEvents = 1u << 30;

std::int64_t packed_flags(const RequestRecord& r) {
  return (r.first_token_exact ? 1 : 0) | (r.finished_by_length ? 2 : 0);
}

void bind_record(Statement& row, std::int64_t key, const RequestRecord& r) {
  row.bind(key).bind(std::int64_t{r.index}).bind(std::int64_t{r.session}).bind(std::int64_t{r.prefix_group});
  for (const Duration time : {r.intended, r.due, r.dispatched, r.sent, r.first_byte, r.first_token, r.first_choice,
                              r.last_token, r.done}) {
    row.bind(std::int64_t{time.count()});
  }
  for (const std::uint32_t count : {r.prompt_tokens, r.cached_tokens, r.output_tokens, r.max_tokens, r.body_bytes, r.chunks,
                                    r.token_events_begin, r.token_events_count}) {
    row.bind(std::int64_t{count});
  }
  row.bind(std::int64_t{r.http_status}).bind(std::int64_t{r.transport_code}).bind(std::int64_t{r.observed_replica});
  row.bind(std::int64_t{r.workload}).bind(static_cast<std::int64_t>(r.outcome));
  row.bind(static_cast<std::int64_t>(r.observed_source)).bind(std::int64_t{r.attempt}).bind(packed_flags(r));
}

/// Reads columns from 0 on in the order of the table without its first.
RequestRecord read_record(const Statement& row) {
  RequestRecord r;
  int column = 0;
  const auto next = [&] { return row.integer(column++); };
  const auto count = [&] { return static_cast<std::uint32_t>(next()); };
  r.index = count();
  r.session = count();
  r.prefix_group = static_cast<std::int32_t>(next());
  for (Duration* time : {&r.intended, &r.due, &r.dispatched, &r.sent, &r.first_byte, &r.first_token, &r.first_choice,
                         &r.last_token, &r.done}) {
    *time = Duration(next());
  }
  for (std::uint32_t* number : {&r.prompt_tokens, &r.cached_tokens, &r.output_tokens, &r.max_tokens, &r.body_bytes,
                                &r.chunks, &r.token_events_begin, &r.token_events_count}) {
    *number = count();
  }
  r.http_status = static_cast<std::uint16_t>(next());
  r.transport_code = static_cast<std::int16_t>(next());
  r.observed_replica = static_cast<std::uint16_t>(next());
  r.workload = static_cast<std::uint16_t>(next());
  r.outcome = static_cast<Outcome>(next());
  r.observed_source = static_cast<ObservedSource>(next());
  r.attempt = static_cast<std::uint8_t>(next());
  const std::int64_t flags = next();
  r.first_token_exact = (flags & 1) != 0;
  r.finished_by_length = (flags & 2) != 0;
  return r;
}

core::Error bad_span(std::uint32_t index) {
  return core::fail(core::ErrorCode::kProtocol, fmt::format("request {} has token times outside of its run's", index));
}

}  // namespace

core::Status insert_records(Database& database, std::int64_t key, std::span<const RequestRecord> records,
                            std::span<const TokenEvent> events, Spans spans) {
  auto row = database.prepare("INSERT OR REPLACE INTO requests VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  if (!row) return row.error();
  std::string blob;
  std::size_t in_order = 0;
  for (const RequestRecord& record : records) {
    const std::size_t begin = spans == Spans::kInOrder ? in_order : record.token_events_begin;
    in_order += record.token_events_count;
    if (begin + record.token_events_count > events.size()) return bad_span(record.index);
    encode_token_events(events.subspan(begin, record.token_events_count), blob);
    bind_record(*row, key, record);
    if (auto done = row->bind_blob(blob).run(); !done) return done;
  }
  return {};
}

core::Status insert_scrapes(Database& database, std::int64_t key, std::span<const ReplicaScrape> scrapes, std::uint64_t first) {
  auto row = database.prepare("INSERT OR REPLACE INTO scrapes VALUES(?,?,?,?,?,?,?,?,?)");
  if (!row) return row.error();
  std::string blob;
  auto sequence = static_cast<std::int64_t>(first);
  for (const ReplicaScrape& scrape : scrapes) {
    encode_snapshot(scrape.values, blob);
    row->bind(key).bind(sequence++).bind(std::int64_t{scrape.replica}).bind(std::int64_t{scrape.sent.count()});
    row->bind(std::int64_t{scrape.answered.count()}).bind(std::int64_t{scrape.ok}).bind(std::int64_t{scrape.torn});
    if (auto done = row->bind(std::int64_t{scrape.round}).bind_blob(blob).run(); !done) return done;
  }
  return {};
}

core::Status delete_rows(Database& database, std::int64_t key) {
  for (const std::string_view sql : {"DELETE FROM requests WHERE run = ?", "DELETE FROM scrapes WHERE run = ?"}) {
    auto drop = database.prepare(sql);
    if (!drop) return drop.error();
    if (auto done = drop->bind(key).run(); !done) return done;
  }
  return {};
}

core::Status load_records(Database& database, std::int64_t key, Run& run) {
  auto query = database.prepare(
      "SELECT idx, session, prefix_group, intended_ns, due_ns, dispatched_ns, sent_ns, first_byte_ns, first_token_ns,"
      " first_choice_ns, last_token_ns, done_ns, prompt_tokens, cached_tokens, output_tokens, max_tokens, body_bytes, chunks,"
      " token_events_begin, token_events_count, http_status, transport_code, observed_replica, workload, outcome,"
      " observed_source, attempt, flags, token_times FROM requests WHERE run = ? ORDER BY idx");
  if (!query) return query.error();
  constexpr int kBlobColumn = 28;
  query->bind(key);
  for (;;) {
    const auto row = query->step();
    if (!row) return row.error();
    if (!*row) return {};
    const RequestRecord record = read_record(*query);
    const std::uint64_t end = std::uint64_t{record.token_events_begin} + record.token_events_count;
    const std::string_view blob = query->text(kBlobColumn);
    // Each event takes two bytes at least: a damaged count cannot ask for more memory than its blob bears out.
    if (end > kMaxTokenEvents || record.token_events_count > blob.size()) return bad_span(record.index);
    if (run.token_events.size() < end) run.token_events.resize(end);
    const auto span = std::span(run.token_events).subspan(record.token_events_begin, record.token_events_count);
    if (auto decoded = decode_token_events(blob, span); !decoded) return decoded;
    run.records.push_back(record);
  }
}

core::Status load_scrapes(Database& database, std::int64_t key, std::vector<ReplicaScrape>& scrapes) {
  auto query = database.prepare(
      "SELECT replica, sent_ns, answered_ns, ok, torn, round, snapshot FROM scrapes WHERE run = ? ORDER BY seq");
  if (!query) return query.error();
  query->bind(key);
  std::map<std::uint16_t, std::size_t> newest;  // per replica: index into scrapes
  for (;;) {
    const auto row = query->step();
    if (!row) return row.error();
    if (!*row) return {};
    ReplicaScrape scrape;
    scrape.replica = static_cast<std::uint16_t>(query->integer(0));
    scrape.sent = Duration(query->integer(1));
    scrape.answered = Duration(query->integer(2));
    scrape.ok = query->integer(3) != 0;
    scrape.torn = query->integer(4) != 0;
    scrape.round = static_cast<std::uint32_t>(query->integer(5));
    if (auto decoded = decode_snapshot(query->text(6), scrape.values); !decoded) return decoded;
    if (const auto earlier = newest.find(scrape.replica); earlier != newest.end()) {
      scrape.values.share_with(scrapes[earlier->second].values);
    }
    if (scrape.ok) newest[scrape.replica] = scrapes.size();
    scrapes.push_back(std::move(scrape));
  }
}

}  // namespace bench
