// See costs.h.
#include "deploy/render/costs.h"

#include <cmath>

namespace deploy {
namespace {

std::string count(std::int64_t n) { return std::to_string(n); }
std::string nodes_words(std::int64_t n) { return n == 1 ? "1 TPU node" : count(n) + " TPU nodes"; }

std::string hour_line(const HourlyCost& cost, std::int64_t nodes) {
  return count(nodes) + " x " + dollars(cost.node) + " + " + dollars(cost.standing) + " = " + dollars(cost.of(nodes)) + "/h";
}

std::string month_line(const HourlyCost& cost, std::int64_t nodes) {
  return dollars(cost.of(nodes)) + "/h x 730 h = " + dollars(cost.of(nodes) * kHoursPerMonth) + " per month";
}

/// Table of replicas against money.
std::string size_rows(const HourlyCost& cost, std::int64_t replicas) {
  std::string out;
  std::int64_t last = -1;
  for (const std::int64_t n : {std::int64_t{0}, std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, std::int64_t{5}, replicas}) {
    if (n <= last) continue;
    last = n;
    out += (out.empty() ? "" : "\n") + std::string("| ") + count(n) + " | " + hour_line(cost, n) + " | " + month_line(cost, n) + " |";
  }
  return out;
}

/// Money of a step that takes minutes while `nodes` TPU nodes are on.
std::string step_line(const HourlyCost& cost, std::int64_t nodes, std::int64_t minutes) {
  return count(minutes) + " min / 60 x " + dollars(cost.of(nodes)) + "/h = " + dollars(cost.of(nodes) * static_cast<double>(minutes) / 60);
}

/// Scheduled scaling: on for 10 h on 5 days a week.
std::string schedule_line(const HourlyCost& cost, std::int64_t replicas) {
  // Rounded as it is printed, so that the arithmetic can be followed.
  const double on = 216.67;
  const double nodes = static_cast<double>(replicas) * cost.node;
  return "10 h x 5 days x 52 / 12 = 216.67 h per month on: 216.67 x " + dollars(nodes) + " + 730 x " + dollars(cost.standing) + " = " +
         dollars(on * nodes + kHoursPerMonth * cost.standing) + " per month, against " + dollars(cost.of(replicas) * kHoursPerMonth) + " around the clock";
}

/// What a million requests cost at a rate that the reader measures.
std::string million_rows(const HourlyCost& cost, std::int64_t replicas) {
  std::string out;
  for (const int rate : {1, 5, 10, 20}) {
    const double per_million = cost.of(replicas) / (rate * 3600.0) * 1e6;
    out += (out.empty() ? "" : "\n") + std::string("| ") + count(rate) + " | " + dollars(cost.of(replicas)) + " / (" + count(rate) + " x 3600) x 1,000,000 = " + dollars(per_million) + " |";
  }
  return out;
}

}  // namespace

std::string dollars(double amount) {
  const auto cents = static_cast<std::int64_t>(std::llround(std::fabs(amount) * 100));
  std::string whole = std::to_string(cents / 100);
  for (std::size_t at = whole.size(); at > 3; at -= 3) whole.insert(at - 3, ",");
  const std::string rest = std::to_string(cents % 100);
  return std::string(amount < 0 && cents > 0 ? "-$" : "$") + whole + "." + (rest.size() < 2 ? "0" : "") + rest;
}

HourlyCost hourly_cost(const BundleValues& v) {
  return {v.number("prices.chip_hour_usd") * static_cast<double>(v.integer("chips")),
          v.number("prices.cpu_node_hour_usd") * static_cast<double>(v.integer("cpu_pool.nodes")) + v.number("prices.fixed_hour_usd")};
}

void add_costs(const BundleValues& v, TemplateInput& out) {
  const HourlyCost cost = hourly_cost(v);
  // Under an HPA the nodes and the quota must do for its maximum.
  const auto replicas = v.integer(v.flag("hpa.enabled") ? "hpa.max_replicas" : "replicas");
  const auto stop_minutes = (v.integer("max_generation_s") + 59) / 60;
  const auto other = v.integer("node_pool.used_elsewhere");
  auto& values = out.values;
  values["cost.node"] = v.text("chips") + " chips x " + dollars(v.number("prices.chip_hour_usd")) + " = " + dollars(cost.node) + "/h per TPU node";
  values["cost.standing"] = v.text("cpu_pool.nodes") + " x " + dollars(v.number("prices.cpu_node_hour_usd")) + " (CPU nodes) + " + dollars(v.number("prices.fixed_hour_usd")) +
                            " (load balancer, control plane, disks) = " + dollars(cost.standing) + "/h";
  values["cost.hour"] = hour_line(cost, replicas);
  values["cost.month"] = month_line(cost, replicas);
  values["cost.sizes"] = size_rows(cost, replicas);
  values["cost.zero"] = dollars(cost.standing) + "/h x 24 h = " + dollars(cost.standing * 24) + " per day, " + dollars(cost.standing * kHoursPerMonth) + " per month";
  values["cost.schedule"] = schedule_line(cost, replicas);
  values["cost.million"] = million_rows(cost, replicas);
  values["cost.deploy"] = step_line(cost, replicas, 20);
  values["cost.pool"] = step_line(cost, replicas, 15);
  values["cost.rollout"] = step_line(cost, replicas, 7 * replicas);
  values["cost.rollback"] = step_line(cost, 1, 25);
  values["cost.migration"] = step_line(cost, replicas, 50);
  values["cost.watch"] = "48 h x " + dollars(cost.of(replicas)) + "/h = " + dollars(cost.of(replicas) * 48);
  values["nodes"] = count(replicas);
  values["nodes_words"] = nodes_words(replicas);
  values["pool_size"] = count(replicas + other);
  values["pool_size_two"] = count(2 + other);
  values["pool_size_five"] = count(5 + other);
  values["pool_size_one"] = count(1 + other);
  values["other_nodes"] = count(other);
  values["other_nodes_words"] = other == 1 ? "1 node" : count(other) + " nodes";
  values["total_chips"] = count(replicas * v.integer("chips"));
  values["quota_chips"] = count((replicas + other) * v.integer("chips"));
  values["rollout_minutes"] = count(7 * replicas);
  values["stop_minutes"] = count(stop_minutes);
  values["rollout_timeout"] = count((7 + stop_minutes) * replicas);
  values["spare_words"] = v.integer("node_pool.max_nodes") > replicas + other ? "The pool may grow to one node more" : "The pool is full at this size";
}

}  // namespace deploy
