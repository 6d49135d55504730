// Values files: defaults that fit, strict keys, all errors at once with their places; templates and costs behind them.
#include "deploy/render/values.h"

#include <gtest/gtest.h>

#include "deploy/render/costs.h"
#include "deploy/render/render.h"
#include "deploy/render/template.h"

namespace {

using namespace deploy;

std::string errors_of(const std::string& text, const BundleChoice& choice = {}) {
  const auto values = read_values(text, "v.yaml", choice);
  return values ? "" : values.error().message;
}

TEST(ValuesTest, DefaultsOfEveryBundleFit) {
  for (const auto& line : bundle_lines()) {
    for (const auto& conflict : conflicts_of(default_values(line.key))) ADD_FAILURE() << line.about << ": " << conflict.path << ": " << conflict.message;
  }
}

TEST(ValuesTest, AreTheSameAfterTheyWerePrinted) {
  for (const auto& line : bundle_lines()) {
    const auto defaults = default_values(line.key);
    const auto read = read_values(print_values(defaults), "v.yaml", {});
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->all(), defaults.all());
    EXPECT_EQ(print_values(*read), print_values(defaults));
  }
}

TEST(ValuesTest, AnEmptyFileMeansTheDefaults) {
  const auto read = read_values("", "v.yaml", {2, Variant::kGke, Pin::kEarly2026});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->all(), default_values({2, Variant::kGke, Pin::kEarly2026}).all());
}

TEST(ValuesTest, AllErrorsComeAtOnceWithTheirPlaces) {
  EXPECT_EQ(errors_of("pattern: 3\nvariant: plain\nreplicas: many\nnode_pool: {max_node: 3}\nmodl: x\nprices: {chip_hour_usd: -1}\nimages:\n  vllm: vllm/vllm-tpu:latest\nmtls: strikt\n"),
            "v.yaml:3:11: replicas \"many\" is no whole number; one TPU node each\n"
            "v.yaml:4:13: unknown key node_pool.max_node; did you mean max_nodes?\n"
            "v.yaml:5:1: unknown key modl; did you mean model?\n"
            "v.yaml:6:25: prices.chip_hour_usd \"-1\" is not between 0 and 10000; per TPU chip and hour; look up yours: contracts differ by 2 and more\n"
            "v.yaml:8:9: images.vllm \"vllm/vllm-tpu:latest\" is not pinned: give a version or a digest\n"
            "v.yaml:9:7: mtls \"strikt\" is none of permissive, strict; strict needs sidecars everywhere: see peerauthentication.yaml");
}

TEST(ValuesTest, WhatDoesNotFitTogetherIsSaid) {
  const auto errors = errors_of("variant: plain\nreplicas: 5\ntopology: 2x4\nregion: us-east1\nweights: {prefix_cache: 2.5}\npin: early-2026\n");
  for (const char* part : {"v.yaml:3:11: topology 2x4 has 8 chips, chips says 4", "v.yaml:2:11: 5 replicas and 1 nodes used elsewhere do not fit on 4 nodes", "v.yaml:4:9: zone europe-west4-a is not in region us-east1",
                           "v.yaml:5:25: weights.prefix_cache is 2.5: pickers of early-2026 read whole numbers"}) {
    EXPECT_NE(errors.find(part), std::string::npos) << part << "\n" << errors;
  }
  EXPECT_NE(errors_of("pattern: 1\nvariant: gke\nreplicas: 2\n").find("Pattern 1 is one replica, not 2"), std::string::npos);
  EXPECT_NE(errors_of("variant: gke\ngateway_class: gke-l7-global-external-managed\n").find("serves no InferencePools"), std::string::npos);
  EXPECT_NE(errors_of("variant: istio-kserve\nservice_name: a-name-that-is-far-too-long-for-kserve\n").find("more than 29 characters"), std::string::npos);
  EXPECT_NE(errors_of("variant: gke\nname: " + std::string(60, 'a') + "\n").find("63 are allowed"), std::string::npos);
  EXPECT_NE(errors_of("variant: plain\nweights: {prefix_cache: 0, kv_cache: 0, queue: 0}\n").find("all weights are 0"), std::string::npos);
}

TEST(ValuesTest, KeysOfAnotherVariantAreErrors) {
  EXPECT_EQ(errors_of("variant: gke\nmtls: strict\n"), "v.yaml:2:1: mtls is no key of the variant gke; remove it");
  EXPECT_EQ(errors_of("variant: plain\nservice_name: x\n"), "v.yaml:2:1: service_name is no key of the variant plain; remove it");
}

TEST(ValuesTest, CommandLineAndFileMustNotDiffer) {
  EXPECT_EQ(errors_of("variant: gke\npattern: 1\npin: current\n", {3, Variant::kPlain, Pin::kEarly2026}),
            "v.yaml:2:10: pattern is 1, the command line says 3; change one of them\n"
            "v.yaml:1:10: variant is gke, the command line says plain; change one of them\n"
            "v.yaml:3:6: pin is current, the command line says early-2026; change one of them");
}

TEST(ValuesTest, NumbersAreWrittenInPlainDigits) {
  for (const char* text : {"replicas: \"010\"", "replicas: 010", "replicas: 0x3", "replicas: 1_0", "replicas: 0o3", "replicas: +3", "replicas: 0b11", "load: {concurrency: 0x10}", "load: {duration_s: 1_00}", "model: {max_model_len: 0x800}"}) {
    const auto errors = errors_of(text);
    EXPECT_NE(errors.find("is no whole number in plain digits: write 10, not 010, +10, 0xa or 1_0"), std::string::npos) << text << ": " << errors;
    EXPECT_EQ(errors.find('\n'), std::string::npos) << errors;
  }
  EXPECT_EQ(errors_of("replicas: \"010\"\n"), "v.yaml:1:11: replicas \"010\" is no whole number in plain digits: write 10, not 010, +10, 0xa or 1_0; one TPU node each");
  EXPECT_EQ(errors_of("replicas: 2.0\n"), "v.yaml:1:11: replicas \"2.0\" is no whole number; one TPU node each");
  for (const char* text : {"weights: {queue: 010}", "weights: {queue: 0x2}", "prices: {chip_hour_usd: 1_0.5}", "prices: {chip_hour_usd: 1e1}", "prices: {chip_hour_usd: .5}"}) EXPECT_NE(errors_of(text), "") << text;
  for (const char* text : {"weights: {queue: 2.5}", "weights: {queue: 0}", "prices: {chip_hour_usd: 0.75}", "replicas: \"2\""}) EXPECT_EQ(errors_of(text), "") << text;
}

TEST(ValuesTest, AFlagIsAnyOfYamlsWords) {
  const auto values = read_values("variant: plain\nhpa: {enabled: yes}\ndashboards: off\n", "v.yaml", {});
  ASSERT_TRUE(values);
  EXPECT_TRUE(values->flag("hpa.enabled"));
  EXPECT_EQ(values->text("dashboards"), "false");
}

TEST(ValuesTest, WhatKubernetesAndGoogleTakeIsTaken) {
  for (const char* text : {"region: us-central1\nzone: us-central1-ai1a\n", "project: \"example.com:my-project\"\n", "secrets: {image_pull: my.pull-secret, hf_token: my.token}\n", "load: {claim: my.claim}\n",
                           "gateway_class: istio.example.com\n", "images: {vllm: \"Registry.Example.com:5000/foo/bar_baz/x--y:V1.2_3\"}\n", "images: {vllm: \"vllm:v1\"}\n",
                           "images: {vllm: \"foo/bar:v1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}\n", "vllm: {memory: 64000M, cpu: 500m}\n", "vllm: {memory: 68719476736}\n",
                           "accelerator: tpu-v5-lite-podslice\nnode_pool: {machine_type: ct5lp-hightpu-4t}\n"}) {
    EXPECT_EQ(errors_of(text), "") << text;
  }
  for (const char* schedule : {"0 3 * * *", "*/15 0-6,22-23 1,15 JAN-mar MON-FRI", "0  3 ? * 0", "5/10 * * * *", "@hourly", "@daily", "@every 1h30m"}) {
    EXPECT_EQ(errors_of("load: {schedule: \"" + std::string(schedule) + "\"}\n"), "") << schedule;
  }
}

TEST(ValuesTest, NonsenseSaysWhatToWrite) {
  const auto expect = [](const std::string& text, const std::string& part) {
    const auto errors = errors_of(text);
    EXPECT_NE(errors.find(part), std::string::npos) << text << ": " << errors;
  };
  expect("load: {schedule: \"99 * * * *\"}\n", "is no cron schedule: minute 99 is not within 0 to 59");
  expect("load: {schedule: \"9 25 * * *\"}\n", "hour 25 is not within 0 to 23");
  expect("load: {schedule: \"0 0 0 * *\"}\n", "day of month 0 is not within 1 to 31");
  expect("load: {schedule: \"0 0 * 13 *\"}\n", "month 13 is not within 1 to 12");
  expect("load: {schedule: \"0 0 * * 7\"}\n", "day of week 7 is not within 0 to 6");
  expect("load: {schedule: \"*/0 0 * * *\"}\n", "minute has the step \"0\"");
  expect("load: {schedule: \"0 20-3 * * *\"}\n", "hour 20-3 ends before it begins");
  expect("load: {schedule: \"0 MON * * *\"}\n", "hour is \"MON\"");
  expect("load: {schedule: \"1,,2 * * * *\"}\n", "minute is \"\"");
  expect("load: {schedule: \"@often\"}\n", "is none of @yearly");
  expect("load: {schedule: \"* * * *\"}\n", "it has 4 fields, not 5");
  expect("images: {vllm: \"Foo/Bar:v1\"}\n", "repositories are lower case, foo/bar");
  expect("images: {vllm: \"r.io/Bar:v1\"}\n", "repositories are lower case, r.io/bar");
  expect("images: {vllm: \"foo//bar:v1\"}\n", "is no image reference");
  expect("images: {vllm: \"foo/bar@sha256:12\"}\n", "is not sha256: and 64 hexadecimal digits");
  expect("vllm: {memory: 64}\n", "is less than 1 MiB: a number without a unit is bytes, write 64Gi");
  expect("vllm: {memory: 64GB}\n", "has the unit \"GB\", which Kubernetes does not know: write 64Gi");
  expect("vllm: {memory: 064Gi}\n", "is no amount of memory like 64Gi");
  expect("vllm: {cpu: 16Gi}\n", "is no number of CPUs like 16 or 500m");
  expect("accelerator: nvidia-l4\n", "v.yaml:1:14: accelerator nvidia-l4 is no TPU; tpu-v6e-slice");
  expect("accelerator: tpu-v5p-slice\n", "accelerator tpu-v5p-slice is not what a ct6e-standard-4t has; tpu-v6e-slice");
  expect("project: \"a:b:c\"\n", "is no project like my-project");
  expect("load: {claim: a..b}\n", "is no name");
  expect("region: europe\n", "zone europe-west4-a is not in region europe");
  expect("model: {name: -x}\n", "is no model name");
}

TEST(ValuesTest, HostileInputIsAnError) {
  for (const char* text : {"- a\n", "a: [\n", "just text", "replicas: [3]\n", "model: x\n", "model: {name: {a: b}}\n", "name: \"a\\nb\"\n", "name: \"@namespace@\"\n", "host: \"x: y\"\n", "a: 1\n---\nb: 2\n",
                           "images: {vllm: \"a b:1\"}\n", "load: {target: \"http://x y\"}\n", "load: {schedule: \"* *\"}\n", "replicas: 99999999999999999999\n", "model: {name: null}\n"}) {
    EXPECT_NE(errors_of(text), "") << text;
  }
}

TEST(TemplateTest, SubstitutesAndKeepsColumns) {
  TemplateInput in;
  in.values = {{"a", "1"}, {"list", "- x\n- y"}};
  EXPECT_EQ(*expand("k: @a@\n  @list@\nmail@x me@\n", in, "t"), "k: 1\n  - x\n  - y\nmail@x me@\n");
}

TEST(TemplateTest, SectionsNestAndNegate) {
  TemplateInput in;
  in.flags = {"on"};
  EXPECT_EQ(*expand("#@if on\na\n#@if off\nb\n#@end\nc\n#@end\n#@if !on\nd\n#@end\n", in, "t"), "a\nc\n");
}

TEST(TemplateTest, ABrokenTemplateIsAnError) {
  const TemplateInput in;
  EXPECT_EQ(expand("x\n@nothing@\n", in, "t").error().message, "template t:2: no value for @nothing@");
  EXPECT_EQ(expand("#@if a\n", in, "t").error().message, "template t:1: #@if without #@end");
  EXPECT_EQ(expand("#@end\n", in, "t").error().message, "template t:1: #@end without #@if");
}

TEST(CostsTest, AreThePricesArithmetic) {
  EXPECT_EQ(dollars(0), "$0.00");
  EXPECT_EQ(dollars(1234567.891), "$1,234,567.89");
  EXPECT_EQ(dollars(-0.5), "-$0.50");
  BundleValues values = default_values({3, Variant::kGke, Pin::kCurrent});
  const auto cost = hourly_cost(values);
  EXPECT_DOUBLE_EQ(cost.node, 5.0);
  EXPECT_DOUBLE_EQ(cost.of(3), 15.25);
  const auto input = template_input(values);
  ASSERT_TRUE(input);
  EXPECT_EQ(input->values.at("cost.hour"), "3 x $5.00 + $0.25 = $15.25/h");
  // 15.25 x 730: a month is 730 h everywhere, not 720 in one place.
  EXPECT_EQ(input->values.at("cost.month"), "$15.25/h x 730 h = $11,132.50 per month");
  EXPECT_EQ(input->values.at("cost.zero"), "$0.25/h x 24 h = $6.00 per day, $182.50 per month");
}

TEST(RunbookTest, EveryBundleHasOneWithWarningsAndCosts) {
  for (const auto& line : bundle_lines()) {
    const auto text = render_runbook(default_values(line.key));
    ASSERT_TRUE(text) << text.error().message;
    for (const char* part : {"## 1. Scale the node pool", "## 3. Rolling update", "## 5. Scheduled scaling", "## 8. Scale to zero", "730 h", "What stays billed at zero", "maxSurge"}) {
      if (std::string_view(part) == "maxSurge" && line.key.variant == Variant::kIstioKserve) continue;
      EXPECT_NE(text->find(part), std::string::npos) << line.about << ": " << part;
    }
    // A zone never stands where a region belongs, and nobody's processes are ended by name.
    EXPECT_EQ(text->find("--region=europe-west4-a"), std::string::npos);
    EXPECT_EQ(text->find("killall"), std::string::npos);
  }
}

TEST(ValuesTest, WhatTheLinterKnowsOfModelsTheRendererKnowsToo) {
  const auto refused = [](const std::string& text) {
    const auto values = deploy::read_values(text, "v.yaml", {3, deploy::Variant::kPlain, deploy::Pin::kCurrent});
    return values ? std::string() : values.error().message;
  };
  EXPECT_EQ(refused("model: {max_model_len: 32768}\n"), "");
  EXPECT_NE(refused("model: {max_model_len: 32769}\n").find("ends at 32768"), std::string::npos);
  EXPECT_NE(refused("model: {name: google/gemma-2b-it}\n").find("one KV head"), std::string::npos);
  EXPECT_EQ(refused("model: {name: org/unknown, max_model_len: 1000000}\n"), "");
}

TEST(ValuesTest, HostsAndQuantitiesAreWhatKubernetesTakes) {
  const auto refused = [](const std::string& text) {
    const auto values = deploy::read_values(text, "v.yaml", {3, deploy::Variant::kPlain, deploy::Pin::kCurrent});
    return values ? std::string() : values.error().message;
  };
  for (const char* host : {"models.example.com", "\"*.example.com\"", "localhost"}) EXPECT_EQ(refused("host: " + std::string(host) + "\n"), "") << host;
  for (const char* host : {"Example.COM", "foo_bar", "a..b", "-foo.com", "\"*\"", "\"a.*.b\""}) EXPECT_NE(refused("host: " + std::string(host) + "\n").find("is no host name"), std::string::npos) << host;
  for (const char* memory : {"64Gi", "65536Mi", "0.5Ti", "64G"}) EXPECT_EQ(refused("vllm: {memory: " + std::string(memory) + "}\n"), "") << memory;
  for (const auto& [memory, words] : {std::pair{"64e9", "with an exponent"}, {"1e3Mi", "with an exponent"}, {"1Pi", "more than any machine has"}, {"64", "bytes"}, {"64GB", "does not know"}}) {
    EXPECT_NE(refused("vllm: {memory: " + std::string(memory) + "}\n").find(words), std::string::npos) << memory << ": " << refused("vllm: {memory: " + std::string(memory) + "}\n");
  }
  for (const char* cpu : {"16", "500m", "0.5"}) EXPECT_EQ(refused("vllm: {cpu: " + std::string(cpu) + "}\n"), "") << cpu;
  for (const char* cpu : {"0", "0m", "0.0001"}) EXPECT_NE(refused("vllm: {cpu: " + std::string(cpu) + "}\n").find("less than 1m"), std::string::npos) << cpu;
}

}  // namespace
