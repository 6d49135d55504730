// The values of a bundle: the one small file that a platform team keeps per pattern. Read by render; defaults suffice.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"
#include "deploy/bundle.h"
#include "deploy/lint.h"

namespace deploy {

struct DeployValues {
  int pattern = 3;
  Variant variant = Variant::kPlain;
  Pin pin = Pin::kCurrent;
  std::string name, name_space;            ///< name: "pattern3", what all objects' names begin or end with
  std::string model, served_name;
  std::int64_t replicas = 3, chips = 4, max_model_len = 2048;
  std::string accelerator, topology;
  std::string pool_name, machine_type, zone, region;
  std::int64_t max_nodes = 4, cpu_nodes = 1;
  std::string gateway_class, host;         ///< host empty: any
  std::string server_image, picker_image, load_image;
  std::int64_t prefix_weight = 3, queue_weight = 2, kv_weight = 2;
  std::string token_secret;
  double chip_usd_per_hour = 0, cpu_node_usd_per_hour = 0;
  bool disruption_budget = true, monitoring = true, load_job = true;
};

/// Defaults of a pattern (1, 2 or 3) for a variant and pin.
[[nodiscard]] DeployValues default_values(int pattern, Variant variant, Pin pin);
/// `text` laid over the defaults. kInvalid with all that is wrong, "file:line:column: …", unknown keys included.
[[nodiscard]] core::Result<DeployValues> read_values(DeployValues defaults, std::string_view text, std::string_view file);
/// As a commented file; read_values() gives the same values again.
[[nodiscard]] std::string values_text(const DeployValues& values);

}  // namespace deploy
