// Bundles: every pattern, variant and pin renders the same twice, lints clean (with the published CRDs where they are at
// hand), takes no placeholder along, and kubectl reads its kustomizations. Golden files hold Pattern 3 of each variant and pin.
#include "deploy/render/render.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "deploy/lint.h"
#include "deploy/render/values.h"
#include "deploy/schema_set.h"

namespace {

using namespace deploy;
namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string title(const BundleKey& key) { return "pattern" + std::to_string(key.pattern) + "-" + std::string(word_for(key.variant)) + "-" + std::string(word_for(key.pin)); }

std::vector<BundleKey> all_keys() {
  std::vector<BundleKey> out;
  for (const auto& line : bundle_lines()) out.push_back(line.key);
  return out;
}

std::vector<SourceFile> rendered(const BundleValues& values) {
  auto files = render_bundle(values);
  EXPECT_TRUE(files) << (files ? "" : files.error().message);
  return files ? std::move(*files) : std::vector<SourceFile>{};
}

/// What the linter reads: no README.
std::vector<SourceFile> manifests(std::vector<SourceFile> files, const std::string& prefix = "") {
  files.erase(std::remove_if(files.begin(), files.end(), [](const SourceFile& f) { return f.name == "README.md"; }), files.end());
  for (auto& file : files) file.name = prefix + file.name;
  return files;
}

std::string findings(const std::vector<SourceFile>& files, const BundleKey& key, const SchemaSet* crds = nullptr) {
  LintOptions options;
  options.pattern = key.pattern;
  options.pin = key.pin;
  options.variant = key.variant;
  options.crds = crds;
  const Bundle bundle = read_bundle(files);
  const auto report = lint(bundle, options);
  return report.findings.empty() ? "" : render_lint(report, LintFormat::kText);
}

void add_published(SchemaSet& crds) {
  const char* given = std::getenv("GATEBENCH_SHARED_DATA");
  const fs::path folder = given != nullptr ? fs::path(given) / "crds" : fs::path(GATEBENCH_SOURCE_DIR) / "../shared/data/crds";
  if (!fs::exists(folder)) return;
  for (const auto& entry : fs::directory_iterator(folder)) crds.add(parse_documents(read(entry.path()), entry.path().filename().string()).documents);
}

TEST(RenderTest, ThereAreAllPatternsVariantsAndPins) { EXPECT_EQ(all_keys().size(), 18U); }

TEST(RenderTest, EveryBundleLintsCleanAndIsTheSameTwice) {
  SchemaSet crds;
  add_published(crds);
  for (const auto& key : all_keys()) {
    const auto files = rendered(default_values(key)), again = rendered(default_values(key));
    ASSERT_EQ(files.size(), again.size());
    for (std::size_t i = 0; i < files.size(); ++i) {
      EXPECT_EQ(files[i].name, again[i].name);
      EXPECT_EQ(files[i].text, again[i].text);
      EXPECT_TRUE(files[i].text.empty() || files[i].text.back() == '\n') << files[i].name;
    }
    EXPECT_EQ(findings(manifests(files), key), "") << title(key);
    EXPECT_EQ(findings(manifests(files), key, &crds), "") << title(key) << " against the published definitions";
  }
}

TEST(RenderTest, WhatCanBeSwitchedOnAndOffLintsClean) {
  const std::vector<std::pair<std::string, std::string>> switches{
      {"mtls", "strict"},      {"monitoring", "none"},  {"monitoring", "google"},   {"monitoring", "operator"}, {"disruption_budget", "false"}, {"dashboards", "false"},
      {"load.enabled", "false"}, {"load.claim", "runs"}, {"server_tls", "true"},     {"hpa.enabled", "true"},    {"secrets.image_pull", ""},     {"secrets.image_pull", "pull"},
      {"weights.queue", "0"},  {"host", "llm.example.com"}};
  for (const auto& key : all_keys()) {
    for (const auto& [path, value] : switches) {
      BundleValues values = default_values(key);
      // GKE's managed Prometheus reads no PodMonitor: L67 rightly says so.
      if (values.all().count(path) == 0 || (key.variant == Variant::kGke && value == "operator")) continue;
      values.set(path, value);
      EXPECT_EQ(findings(manifests(rendered(values)), key), "") << title(key) << " with " << path << " = " << value;
    }
  }
}

TEST(RenderTest, AReplicaOfEightChipsFits) {
  for (const auto& key : all_keys()) {
    BundleValues values = default_values(key);
    values.set("chips", "8");
    values.set("topology", "2x4");
    values.set("node_pool.machine_type", "ct6e-standard-8t");
    EXPECT_TRUE(conflicts_of(values).empty());
    EXPECT_EQ(findings(manifests(rendered(values)), key), "") << title(key);
  }
}

TEST(RenderTest, AFaultPutIntoABundleIsCaught) {
  for (const auto& key : all_keys()) {
    if (key.pattern != 3) continue;
    auto files = manifests(rendered(default_values(key)));
    bool found = false;
    for (auto& file : files) {
      if (const auto at = file.text.find("- --enable-prefix-caching"); at != std::string::npos) file.text.erase(at, 25), found = true;
    }
    EXPECT_TRUE(found) << title(key);
    EXPECT_NE(findings(files, key).find("L24"), std::string::npos) << title(key);
  }
}

TEST(RenderTest, TheSecondModelFitsBesideThePattern) {
  for (const Variant variant : {Variant::kGke, Variant::kIstioKserve, Variant::kPlain}) {
    for (const Pin pin : {Pin::kEarly2026, Pin::kCurrent}) {
      BundleValues third = default_values({3, variant, pin}), second = default_values({2, variant, pin});
      auto files = manifests(rendered(third)), more = manifests(rendered(second), "second/");
      // Both write the namespace, and under KServe the shared gateway: the same objects, applied once.
      for (auto& file : more) {
        const bool shared = file.name.find("/namespace.yaml") != std::string::npos || (variant == Variant::kIstioKserve && file.name == "second/gateway.yaml");
        if (!shared) files.push_back(file);
      }
      EXPECT_EQ(findings(files, {3, variant, pin}), "") << title({2, variant, pin});
    }
  }
}

/// All files of a bundle as one text, without the dashboards.
std::string as_one(const std::vector<SourceFile>& files) {
  std::string out;
  for (const auto& file : files) {
    if (file.name.find("dashboard-") == std::string::npos) out += "==> " + file.name + " <==\n" + file.text + "\n";
  }
  return out;
}

/// Compares with a golden file; UPDATE_GOLDEN=1 writes it instead.
bool golden_equal(const std::string& name, const std::string& text) {
  const fs::path path = fs::path(GATEBENCH_SOURCE_DIR) / "tests/golden/deploy" / name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  return read(path) == text;
}

TEST(RenderGoldenTest, BundlesOfPattern3) {
  for (const auto& key : all_keys()) {
    if (key.pattern != 3) continue;
    EXPECT_TRUE(golden_equal(title(key) + ".txt", as_one(rendered(default_values(key))))) << title(key) << ": see UPDATE_GOLDEN=1";
  }
}

TEST(RenderGoldenTest, RunbookOfPattern3OnGke) {
  const auto text = render_runbook(default_values({3, Variant::kGke, Pin::kCurrent}));
  ASSERT_TRUE(text);
  EXPECT_TRUE(golden_equal("runbook-pattern3-gke-current.md", *text));
}

TEST(RenderGoldenTest, AChangedValueIsNoLongerTheGoldenBundle) {
  if (std::getenv("UPDATE_GOLDEN") != nullptr) GTEST_SKIP() << "golden files are being written";
  BundleValues values = default_values({3, Variant::kPlain, Pin::kCurrent});
  values.set("max_generation_s", "301");
  EXPECT_FALSE(golden_equal("pattern3-plain-current.txt", as_one(rendered(values))));
}

TEST(RenderTest, DashboardsAreJsonAndAskForWhatIsExported) {
  const auto files = rendered(default_values({3, Variant::kPlain, Pin::kCurrent}));
  std::size_t dashboards = 0;
  for (const auto& file : files) {
    if (file.name.find("dashboard-") == std::string::npos) continue;
    const auto parsed = parse_documents(file.text, file.name);
    ASSERT_EQ(parsed.documents.size(), 1U) << file.name;
    const auto& data = parsed.documents[0].root["data"].members;
    ASSERT_EQ(data.size(), 1U);
    const auto json = nlohmann::json::parse(data[0].value.text, nullptr, false);
    ASSERT_FALSE(json.is_discarded()) << file.name;
    for (const auto& panel : json.at("panels")) {
      if (panel.at("type") == "row") continue;
      EXPECT_FALSE(panel.at("targets").empty()) << panel.at("title");
      // Of vLLM's counters only those with this suffix exist; the guides' vllm:prefix_cache_hit_rate never did.
      EXPECT_EQ(panel.dump().find("hit_rate"), std::string::npos);
    }
    ++dashboards;
  }
  EXPECT_EQ(dashboards, 3U);
}

void collect_ports(const Node& node, std::set<std::int64_t>& ports, std::set<std::string>& headers) {
  static constexpr std::array<std::string_view, 4> kPorts{"port", "containerPort", "targetPort", "number"};
  for (const auto& member : node.members) {
    const bool port = std::find(kPorts.begin(), kPorts.end(), member.key) != kPorts.end();
    if (port && member.value.integer()) ports.insert(*member.value.integer());
    if (member.key == "headers" || member.key == "httpHeaders") headers.insert(member.key);
    collect_ports(member.value, ports, headers);
  }
  for (const auto& item : node.items) collect_ports(item, ports, headers);
}

TEST(RenderTest, PortsAreThoseOfVllmPickerAndCluster) {
  // vLLM's own, and what `--port=8000` states; the picker's gRPC, health and metrics ports, its flags' defaults; the Gateway's
  // listener; the API server and the model hub; DNS; istiod; OpenShift's DNS.
  const std::set<std::int64_t> known{8000, 9002, 9003, 9090, 80, 443, 6443, 53, 5353, 15012};
  for (const auto& key : all_keys()) {
    const Bundle bundle = read_bundle(manifests(rendered(default_values(key))));
    std::set<std::int64_t> ports, declared;
    std::set<std::string> headers;
    for (const auto& object : bundle.objects) collect_ports(object.root(), ports, headers);
    for (const auto port : ports) EXPECT_EQ(known.count(port), 1U) << port << " in " << title(key);
    EXPECT_TRUE(headers.empty()) << "a header is named in " << title(key) << ": compare it with the binaries'";
    for (const auto& pods : bundle.pods) {
      for (const Node* container : containers_of(*pods.pod_spec)) {
        for (const auto& port : (*container)["ports"].items) declared.insert(port["containerPort"].integer().value_or(0));
        const auto said = flag_value(command_words(*container), "--port");
        EXPECT_EQ(said ? said->text : "8000", "8000") << title(key);
      }
    }
    if (key.variant != Variant::kPlain) continue;  // elsewhere charts and controllers declare them
    EXPECT_EQ(declared, (std::set<std::int64_t>{8000, 9002, 9003, 9090})) << title(key);
  }
}

TEST(RenderTest, TheLoadMayOnlyLook) {
  for (const auto& key : all_keys()) {
    const Bundle bundle = read_bundle(manifests(rendered(default_values(key))));
    for (const auto& object : bundle.objects) {
      if (object.kind != "Role" || object.name.find("-load") == std::string::npos) continue;
      for (const auto& rule : object.root()["rules"].items) {
        for (const auto& verb : rule["verbs"].items) EXPECT_TRUE(verb.text == "get" || verb.text == "list" || verb.text == "watch") << verb.text;
      }
    }
    std::size_t loads = 0;
    for (const auto& pods : bundle.pods) {
      if (pods.role != PodRole::kLoad) continue;
      ++loads;
      const Node& container = (*pods.pod_spec)["containers"][0];
      EXPECT_TRUE(pods.pod_spec->path({"securityContext", "runAsNonRoot"}).is_true());
      EXPECT_TRUE(container.path({"securityContext", "readOnlyRootFilesystem"}).is_true());
      EXPECT_FALSE((*pods.pod_spec)["nodeSelector"].exists());
    }
    EXPECT_EQ(loads, 2U) << title(key);
  }
}

TEST(RenderTest, KubectlTakesTheKustomizations) {
  if (std::system("kubectl version --client >/dev/null 2>&1") != 0) GTEST_SKIP() << "no kubectl here; the Debian package kubernetes-client has one";
  const fs::path root = fs::path(::testing::TempDir()) / ("gatebench-kustomize-" + std::to_string(::getpid()));
  for (const auto& key : all_keys()) {
    const fs::path folder = root / title(key);
    for (const auto& file : rendered(default_values(key))) {
      fs::create_directories((folder / file.name).parent_path());
      std::ofstream(folder / file.name, std::ios::binary) << file.text;
    }
    const fs::path base = key.variant == Variant::kGke ? folder / "manifests" : folder;
    for (const auto& part : {base, base / "load"}) EXPECT_EQ(std::system(("kubectl kustomize '" + part.string() + "' >/dev/null").c_str()), 0) << part;
  }
  fs::remove_all(root);
}

}  // namespace
