// See truth_check.h.
#include "analyzers/truth_check.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <set>
#include <utility>

#include "analyzers/statistics.h"

namespace analyzers {
namespace {

constexpr std::size_t kShownDisagreements = 20;
constexpr std::array kBinEdges{0.0, 0.5, 0.7, 0.9, 0.99, 0.999, 1.0};
/// A majority that two replicas share is a conflict from this many votes on; fewer may be wrong claims.
constexpr std::size_t kFirmVotes = 10;

/// One response that names its replica.
struct Named {
  const bench::Run* run = nullptr;
  const bench::RequestRecord* record = nullptr;
  const Attribution* claim = nullptr;
  const std::string* name = nullptr;
};

std::vector<Named> named_responses(const std::vector<const bench::Run*>& runs, const std::vector<const RunAttribution*>& attributions) {
  std::vector<Named> out;
  for (std::size_t k = 0; k < runs.size(); ++k) {
    const auto& run = *runs[k];
    for (std::size_t i = 0; i < run.records.size(); ++i) {
      const auto& record = run.records[i];
      if (!succeeded(record) || record.observed_replica >= run.observed_names.size()) continue;
      out.push_back({&run, &record, &attributions[k]->of_record[i], &run.observed_names[record.observed_replica]});
    }
  }
  return out;
}

/// A restarted stack has new ports: its replicas are others even under an old name.
const std::string& key_of(const bench::Run& run, std::size_t replica) {
  const auto& info = run.manifest.replicas[replica];
  return info.metrics_url.empty() ? info.name : info.metrics_url;
}

bool decided_exactly(const Attribution& claim) { return claim.method == "exact" || claim.method == "serial"; }

struct Mapping {
  std::map<std::string, std::string> name_of_key, display_of_key;
  std::string conflict;
};

using Votes = std::map<std::string, std::map<std::string, std::size_t>>;  // key -> name -> votes

Votes count_votes(const std::vector<Named>& named, bool exact_only, Mapping& out) {
  Votes votes;
  for (const auto& n : named) {
    if (n.claim->replica < 0 || (exact_only && !decided_exactly(*n.claim))) continue;
    const auto replica = static_cast<std::size_t>(n.claim->replica);
    const std::string& key = key_of(*n.run, replica);
    out.display_of_key[key] = n.run->manifest.replicas[replica].name;
    ++votes[key][*n.name];
  }
  return votes;
}

/// Most votes first; each name and each replica once. What is assigned already stays.
void assign(const Votes& votes, Mapping& out, std::map<std::string, std::string>& key_of_name) {
  std::vector<std::pair<std::size_t, std::pair<std::string, std::string>>> ranked;
  for (const auto& [key, names] : votes) {
    for (const auto& [name, count] : names) ranked.push_back({count, {key, name}});
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [count, pair] : ranked) {
    const auto& [key, name] = pair;
    if (out.name_of_key.count(key) != 0 || key_of_name.count(name) != 0) continue;
    out.name_of_key[key] = name;
    key_of_name[name] = key;
  }
}

void find_conflict(const Votes& votes, const std::map<std::string, std::string>& key_of_name, Mapping& out) {
  if (votes.size() > 1 && key_of_name.size() == 1) {
    out.conflict = "responses of all replicas are given one name, \"" + key_of_name.begin()->first + "\": it is a proxy's; nothing is compared with it";
    return;
  }
  for (const auto& [key, names] : votes) {
    const auto top = std::max_element(names.begin(), names.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    const auto other = key_of_name.find(top->first);
    if (top->second < kFirmVotes || other == key_of_name.end() || other->second == key) continue;
    out.conflict = "responses of \"" + out.display_of_key[key] + "\" and \"" + out.display_of_key[other->second] + "\" are both named \"" + top->first +
                   "\": the name is a proxy's, or the list of replicas is wrong; nothing is compared with it";
  }
}

/// Exact responses first; replicas that have none by all their claims.
Mapping map_names(const std::vector<Named>& named) {
  Mapping out;
  std::map<std::string, std::string> key_of_name;
  const Votes exact = count_votes(named, true, out), all = count_votes(named, false, out);
  assign(exact, out, key_of_name);
  assign(all, out, key_of_name);
  find_conflict(exact.empty() ? all : exact, key_of_name, out);
  return out;
}

std::string source_of(const std::vector<Named>& named) {
  std::set<std::string> sources;
  for (const auto& n : named) {
    switch (n.record->observed_source) {
      case bench::ObservedSource::kServedEndpointHeader: sources.insert("x-gateway-destination-endpoint-served"); break;
      case bench::ObservedSource::kInferencePodHeader: sources.insert("x-inference-pod"); break;
      case bench::ObservedSource::kSystemFingerprint: sources.insert("system_fingerprint"); break;
      case bench::ObservedSource::kNone: sources.insert("unknown"); break;
    }
  }
  std::string out;
  for (const auto& source : sources) out += (out.empty() ? "" : ", ") + source;
  return out;
}

std::size_t index_in(std::vector<std::string>& list, const std::string& value) {
  const auto at = std::find(list.begin(), list.end(), value);
  if (at != list.end()) return static_cast<std::size_t>(at - list.begin());
  list.push_back(value);
  return list.size() - 1;
}

void add_to_bin(std::vector<ConfidenceBin>& bins, double confidence, bool right) {
  for (auto& bin : bins) {
    if (confidence < bin.low || (confidence >= bin.high && bin.high < 1)) continue;
    bin.stated_mean = (bin.stated_mean * static_cast<double>(bin.responses) + confidence) / static_cast<double>(bin.responses + 1);
    ++bin.responses;
    bin.right += right ? 1 : 0;
    return;
  }
}

void add_claim(const Named& n, bool right, TruthCheck& out) {
  const auto replica = static_cast<std::size_t>(n.claim->replica);
  const std::string& claimed = n.run->manifest.replicas[replica].name;
  const std::size_t row = index_in(out.replicas, claimed), column = index_in(out.names, *n.name);
  out.confusion.resize(out.replicas.size());
  for (auto& each : out.confusion) each.resize(out.names.size(), 0);
  ++out.confusion[row][column];
  ++out.compared;
  if (right) return;
  ++out.wrong;
  if (out.disagreements.size() >= kShownDisagreements) return;
  out.disagreements.push_back({n.run->manifest.id, claimed, *n.name, n.record->index, n.claim->confidence, n.claim->method});
}

bool names_it(const Mapping& mapping, const Named& n, std::size_t replica) {
  const auto it = mapping.name_of_key.find(key_of(*n.run, replica));
  return it != mapping.name_of_key.end() && it->second == *n.name;
}

/// "10.0.0.1:8000" of "http://10.0.0.1:8000/metrics".
std::string address_of(const std::string& url) {
  const auto scheme = url.find("://");
  const auto from = scheme == std::string::npos ? 0 : scheme + 3;
  return url.substr(from, url.find('/', from) - from);
}

std::optional<std::size_t> replica_called(const bench::Run& run, const std::string& name, const std::map<std::string, std::string>& mapped) {
  const auto& replicas = run.manifest.replicas;
  for (std::size_t r = 0; r < replicas.size(); ++r) {
    if (replicas[r].name == name || (!replicas[r].metrics_url.empty() && address_of(replicas[r].metrics_url) == name)) return r;
  }
  for (std::size_t r = 0; r < replicas.size(); ++r) {
    const auto it = mapped.find(replicas[r].name);
    if (it != mapped.end() && it->second == name) return r;
  }
  return std::nullopt;
}

}  // namespace

std::map<std::string, std::string> names_of_replicas(const std::vector<const bench::Run*>& runs,
                                                     const std::vector<const RunAttribution*>& attributions) {
  const Mapping mapping = map_names(named_responses(runs, attributions));
  std::map<std::string, std::string> out;
  if (!mapping.conflict.empty()) return out;
  for (const auto& [key, name] : mapping.name_of_key) out[mapping.display_of_key.at(key)] = name;
  return out;
}

TruthCheck check_truth(const std::vector<const bench::Run*>& runs, const std::vector<const RunAttribution*>& attributions) {
  TruthCheck out;
  const auto named = named_responses(runs, attributions);
  out.named = named.size();
  out.source = source_of(named);
  const bool by_header = std::any_of(attributions.begin(), attributions.end(), [](const RunAttribution* a) { return a->by_header; });
  const Mapping mapping = map_names(named);
  if (named.empty()) out.reason = "no response names its replica, so there is nothing to compare with";
  else if (by_header) out.reason = "the header is what the attribution rests on, so nothing is left to compare it with";
  else out.reason = mapping.conflict;
  if (!out.reason.empty()) {
    out.error_ratio = unmeasured(out.reason);
    return out;
  }
  for (std::size_t i = 0; i + 1 < kBinEdges.size(); ++i) out.bins.push_back({kBinEdges[i], kBinEdges[i + 1], 0, 0, 0});
  for (const auto& n : named) {
    if (!n.claim->candidates.empty()) {
      const auto& likeliest = n.claim->candidates.front();
      if (likeliest.p > 0) add_to_bin(out.bins, static_cast<double>(likeliest.p), names_it(mapping, n, likeliest.replica));
    }
    if (n.claim->replica >= 0) add_claim(n, names_it(mapping, n, static_cast<std::size_t>(n.claim->replica)), out);
  }
  if (out.compared == 0) {
    out.reason = "no response that names its replica is attributed";
    out.error_ratio = unmeasured(out.reason);
    return out;
  }
  out.error_ratio = measured(static_cast<double>(out.wrong) / static_cast<double>(out.compared), "Clopper-Pearson, one-sided 95 %", out.compared);
  out.error_ratio.low = 0;
  out.error_ratio.high = clopper_pearson(out.wrong, out.compared, 0.9).high;
  return out;
}

RunAttribution header_attribution(const bench::Run& run, const RunAttribution& by_metrics) {
  RunAttribution out = by_metrics;
  out.by_header = true;
  out.refusal.clear();
  out.note.clear();
  out.expected_wrong = 0;
  const auto mapped = names_of_replicas({&run}, {&by_metrics});
  std::size_t claimed = 0, named = 0;
  std::string unknown;
  for (std::size_t i = 0; i < run.records.size(); ++i) {
    out.of_record[i] = {};
    const auto& record = run.records[i];
    if (!succeeded(record)) continue;
    if (record.observed_replica >= run.observed_names.size()) {
      out.of_record[i].reason = "no header";
      continue;
    }
    ++named;
    const std::string& name = run.observed_names[record.observed_replica];
    const auto replica = replica_called(run, name, mapped);
    if (!replica) {
      out.of_record[i].reason = "unknown name";
      unknown = name;
      continue;
    }
    ++claimed;
    out.of_record[i].replica = static_cast<std::int16_t>(*replica);
    out.of_record[i].confidence = 1;
    out.of_record[i].method = "header";
    out.of_record[i].candidates = {{static_cast<std::uint16_t>(*replica), 1.0F}};
  }
  if (named == 0) out.refusal = "no response names its replica in a header: use --attribution metrics, or let the gateway say who served";
  else if (claimed == 0) out.refusal = "responses name \"" + unknown + "\" and the like, which is no replica of the list: give --replica the same names";
  return out;
}

}  // namespace analyzers
