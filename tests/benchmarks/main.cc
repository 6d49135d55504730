// Runs all benchmarks: `./check bench`. Usage: gatebench_benchmarks [results.json]. Writes the rows as JSON and a table.
// A figure that misses its goal is shown as such and fails nothing: the machine may be shared.
#include <cstdio>
#include <fstream>

#include "tests/benchmarks/benchmarks.h"

int main(int argc, char** argv) {
  const std::string results = argc > 1 ? argv[1] : "results.json";
  const auto slash = results.rfind('/');
  std::vector<benchmarks::Row> rows = benchmarks::client_cpu(slash == std::string::npos ? "." : results.substr(0, slash));
  bool whole = !rows.empty();
  const auto attribution = benchmarks::attribution_cost();
  whole = whole && !attribution.empty();
  rows.insert(rows.end(), attribution.begin(), attribution.end());
  std::ofstream json(results);
  std::printf("%-44s %9s %9s %4s  %s\n", "benchmark", "value", "goal", "met", "reference");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& r = rows[i];
    char line[1024];
    std::snprintf(line, sizeof line, "%s  {\"id\": \"%s\", \"value\": %.3f, \"goal\": %.2f, \"met\": %s, \"reference\": \"%s\",\n   \"note\": \"%s\"}",
                  i == 0 ? "[\n" : ",\n", r.id.c_str(), r.value, r.goal, r.met() ? "true" : "false", r.reference.c_str(), r.note.c_str());
    json << line;
    std::printf("%-44s %9.3f %s%8.2f %4s  %s: %s\n", r.id.c_str(), r.value, r.more_is_better ? ">" : "<", r.goal, r.met() ? "yes" : "no",
                r.reference.c_str(), r.note.c_str());
  }
  json << (rows.empty() ? "[]\n" : "\n]\n");
  return whole && json.good() ? 0 : 1;
}
