// Pods of Deployments and other workloads, of LLMInferenceServices as the KServe controller labels them (v0.16 to v0.20),
// and of the llm-d-modelservice and inferencepool charts behind helm values; and how their commands read.
#include "deploy/pod_sets.h"

#include <algorithm>
#include <array>

namespace deploy {
namespace {

PodRole role_of(const Node& pod_spec) {
  for (const Node* container : containers_of(pod_spec)) {
    const auto image = (*container)["image"].str();
    const auto words = command_words(*container);
    const auto has = [&](std::string_view part) { return image.find(part) != std::string_view::npos; };
    if (flag_value(words, "--pool-name") || has("endpoint-picker") || has("inference-scheduler") || has("/epp:")) return PodRole::kPicker;
    if (has("gatebench")) return PodRole::kLoad;
    if (has("vllm") || has("llm-d-inference-sim") || flag_value(words, "--tensor-parallel-size")) return PodRole::kModelServer;
    const bool serves = std::any_of(words.begin(), words.end(), [](const CommandWord& w) { return w.text == "vllm"; });
    if (serves) return PodRole::kModelServer;
  }
  return PodRole::kOther;
}

PodSet pods_of(const Object& object, const Node& pod_spec, Labels labels, std::int64_t replicas) {
  PodSet set;
  set.object = &object;
  set.owner = object.title();
  set.name_space = object.name_space;
  set.labels = std::move(labels);
  set.replicas = replicas;
  set.pod_spec = &pod_spec;
  set.role = role_of(pod_spec);
  set.at = object.root().at;
  set.file = object.document->file;
  return set;
}

std::int64_t replicas_of(const Node& spec) { return spec["replicas"].integer().value_or(1); }

void add_workload(const Object& object, Bundle& bundle) {
  static constexpr std::array<std::string_view, 6> kTemplated{"Deployment", "StatefulSet", "ReplicaSet", "DaemonSet", "Job", "ReplicationController"};
  const Node* owner = &object.spec();
  if (object.kind == "CronJob") owner = &object.spec().path({"jobTemplate", "spec"});
  else if (object.kind == "Pod") {
    bundle.pods.push_back(pods_of(object, object.spec(), labels_of(object.metadata()["labels"]), 1));
    return;
  } else if (std::find(kTemplated.begin(), kTemplated.end(), object.kind) == kTemplated.end()) return;
  const Node& pod = (*owner)["template"];
  bundle.pods.push_back(pods_of(object, pod["spec"], labels_of(pod.path({"metadata", "labels"})), replicas_of(object.spec())));
}

/// Labels as the controller sets them on its children.
void add_inference_service(const Object& object, Bundle& bundle) {
  const Labels base{{"app.kubernetes.io/name", object.name}, {"app.kubernetes.io/part-of", "llminferenceservice"}};
  Labels workload = base, scheduler = base;
  workload["app.kubernetes.io/component"] = "llminferenceservice-workload";
  workload["kserve.io/component"] = "workload";
  workload["llm-d.ai/role"] = object.spec()["prefill"].exists() ? "decode" : "both";
  PodSet pods = pods_of(object, object.spec()["template"], workload, replicas_of(object.spec()));
  pods.role = PodRole::kModelServer;
  bundle.pods.push_back(std::move(pods));
  const Node& wanted = object.spec().path({"router", "scheduler"});
  if (!wanted.exists()) return;
  scheduler["app.kubernetes.io/component"] = "llminferenceservice-router-scheduler";
  PodSet picker = pods_of(object, wanted["template"], scheduler, 1);
  picker.role = PodRole::kPicker;
  bundle.pods.push_back(std::move(picker));
}

std::string folder_of(const std::string& file) {
  const auto slash = file.rfind('/');
  return slash == std::string::npos ? "" : file.substr(0, slash);
}

bool is_override(const Document& document) {
  const auto slash = document.file.rfind('/');
  return document.file.substr(slash == std::string::npos ? 0 : slash + 1).find("override") != std::string::npos;
}

/// As helm lays one values file over another: maps merge, everything else is replaced.
Node laid_over(const Node& base, const Node& over) {
  if (!base.is_map() || !over.is_map()) return over;
  Node out = base;
  for (const auto& member : over.members) {
    const auto at = std::find_if(out.members.begin(), out.members.end(), [&](const Member& m) { return m.key == member.key; });
    if (at == out.members.end()) {
      out.members.push_back(member);
    } else {
      at->value = laid_over(at->value, member.value);
      at->at = member.at;
    }
  }
  return out;
}

void add_model_service(const Document& document, const Node& root, Bundle& bundle) {
  const Node& decode = root["decode"];
  if (!decode.exists() || decode["create"].str() == "false") return;
  PodSet set;
  set.values = &document;
  set.owner = "llm-d-modelservice decode";
  set.labels = labels_of(root.path({"modelArtifacts", "labels"}));
  set.labels["llm-d.ai/role"] = "decode";
  set.replicas = replicas_of(decode);
  set.pod_spec = &decode;  // holds `containers` and `volumes` as a PodSpec does
  set.role = PodRole::kModelServer;
  set.at = root.at_key("decode");
  set.file = document.file;
  bundle.pods.push_back(std::move(set));
}

/// A base file with overrides beside it is what each of them is laid over; alone it is deployed as it is.
void add_model_services(Bundle& bundle) {
  std::vector<const Document*> bases, overrides;
  for (const auto& values : bundle.values) {
    if (values.kind == ValuesKind::kModelService) (is_override(*values.document) ? overrides : bases).push_back(values.document);
  }
  for (const Document* over : overrides) {
    const auto base = std::find_if(bases.begin(), bases.end(), [&](const Document* b) { return folder_of(b->file) == folder_of(over->file); });
    bundle.merged.push_back(base == bases.end() ? over->root : laid_over((*base)->root, over->root));
    add_model_service(*over, bundle.merged.back(), bundle);
  }
  for (const Document* base : bases) {
    const bool covered = std::any_of(overrides.begin(), overrides.end(), [&](const Document* o) { return folder_of(o->file) == folder_of(base->file); });
    if (!covered) add_model_service(*base, base->root, bundle);
  }
}

/// A shell string as its words; quotes group, a backslash at a line's end joins.
void split_shell(std::string_view text, Position at, std::vector<CommandWord>& out) {
  std::string word;
  bool any = false;
  char quote = 0;
  const auto flush = [&] {
    if (any) out.push_back({word, at});
    word.clear();
    any = false;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
      else word.push_back(c);
    } else if (c == '\'' || c == '"') {
      quote = c;
      any = true;
    } else if (c == '\\' && i + 1 < text.size()) {
      ++i;
      if (text[i] != '\n' && text[i] != '\r') word.push_back(text[i]), any = true;
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      flush();
    } else {
      word.push_back(c);
      any = true;
    }
  }
  flush();
}

constexpr std::string_view kVariable = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
constexpr std::size_t kMaxWords = 20'000, kMaxWordBytes = 64 * 1024;   // of one container

/// "$NAME", "${NAME}" and, as Kubernetes writes it, "$(NAME)"; empty: no reference.
std::string_view referred_variable(std::string_view word) {
  if (word.size() < 2 || word.front() != '$') return {};
  word.remove_prefix(1);
  const bool braces = word.front() == '{' && word.back() == '}', round = word.front() == '(' && word.back() == ')';
  if (braces || round) word = word.substr(1, word.size() - 2);
  return word.find_first_not_of(kVariable) == std::string_view::npos ? word : std::string_view();
}

/// References inside a word, as in "--port=$(PORT)": Kubernetes and shells put the value there.
std::string with_values(const Node& container, const std::string& text, int& budget) {
  std::string out;
  std::size_t from = 0;
  for (auto at = text.find('$'); at != std::string::npos && budget > 0; at = text.find('$', from)) {
    const bool braces = text.compare(at, 2, "${") == 0, round = text.compare(at, 2, "$(") == 0;
    const auto end = braces ? text.find('}', at) : round ? text.find(')', at) : text.find_first_not_of(kVariable, at + 1);
    const auto stop = end == std::string::npos ? text.size() : end + (braces || round ? 1 : 0);
    const auto name = referred_variable(std::string_view(text).substr(at, stop - at));
    const Node& value = env_value(container, name);
    --budget;
    out.append(text, from, at - from);
    if (!name.empty() && value.is_string() && value.text.size() < kMaxWordBytes) out += value.text;
    else out.append(text, at, stop - at);
    from = stop;
  }
  return out.append(text, from);
}

/// A word with blanks is a shell's: `bash -c "vllm serve …"`, also where the preset supplies the shell, and again inside of it
/// (`eval "vllm serve … ${VLLM_ADDITIONAL_ARGS}"`, as KServe's presets have it). Variables may refer to each other: `budget`,
/// of variables looked up, bounds what a hostile file can make of that.
void add_words(const Node& container, CommandWord word, int depth, int& budget, std::vector<CommandWord>& out) {
  constexpr int kMaxDepth = 4;
  if (out.size() >= kMaxWords) return;
  if (const auto name = referred_variable(word.text); !name.empty() && depth < kMaxDepth && budget > 0) {
    const Node& value = env_value(container, name);
    --budget;
    if (value.is_string() && value.text.size() < kMaxWordBytes) {
      std::vector<CommandWord> parts;
      split_shell(value.text, word.at, parts);
      for (auto& part : parts) add_words(container, std::move(part), depth + 1, budget, out);
      return;
    }
  }
  const bool shell = word.text.find_first_of(" \n") != std::string::npos && word.text.find("--") != std::string::npos && word.text.rfind("{", 0) != 0;
  if (!shell || depth >= kMaxDepth) {
    if (word.text.find('$') != std::string::npos) word.text = with_values(container, word.text, budget);
    out.push_back(std::move(word));
    return;
  }
  std::vector<CommandWord> parts;
  split_shell(word.text, word.at, parts);
  for (auto& part : parts) add_words(container, std::move(part), depth + 1, budget, out);
}

/// vLLM's parser takes underscores in a flag's name for dashes.
bool same_flag(std::string_view word, std::string_view flag) {
  return word.size() == flag.size() && word.rfind("--", 0) == 0 &&
         std::equal(word.begin(), word.end(), flag.begin(), [](char a, char b) { return (a == '_' ? '-' : a) == b; });
}

}  // namespace

void add_pod_sets(Bundle& bundle) {
  for (const auto& object : bundle.objects) {
    if (object.kind == "LLMInferenceService") add_inference_service(object, bundle);
    else add_workload(object, bundle);
  }
  add_model_services(bundle);
}

const Node& node_selector_of(const PodSet& pods) {
  const Node& direct = (*pods.pod_spec)["nodeSelector"];
  return direct.exists() ? direct : pods.pod_spec->path({"extraConfig", "nodeSelector"});
}

std::optional<std::int64_t> resource_of(const Node& container, std::string_view resource) {
  for (const auto part : {"limits", "requests"}) {
    if (const auto amount = container.path({"resources", part, resource}).integer()) return amount;
  }
  return std::nullopt;
}

const Node& env_value(const Node& container, std::string_view name) {
  for (const auto& variable : container["env"].items) {
    if (variable["name"].str() == name) return variable["value"];
  }
  return container["env"]["missing"];
}

std::vector<const Node*> containers_of(const Node& pod_spec, bool with_init) {
  std::vector<const Node*> out;
  for (const auto& container : pod_spec["containers"].items) out.push_back(&container);
  if (with_init) {
    for (const auto& container : pod_spec["initContainers"].items) out.push_back(&container);
  }
  return out;
}

std::vector<CommandWord> command_words(const Node& container) {
  std::vector<CommandWord> out;
  int budget = 200;
  for (const auto key : {"command", "args"}) {
    for (const auto& item : container[std::string_view(key)].items) add_words(container, {std::string(item.str()), item.at}, 0, budget, out);
  }
  return out;
}

std::optional<CommandWord> flag_value(const std::vector<CommandWord>& words, std::string_view flag) {
  std::optional<CommandWord> found;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i].text;
    const auto equals = word.find('=');
    if (!same_flag(std::string_view(word).substr(0, equals), flag)) continue;
    if (equals != std::string::npos) {
      found = CommandWord{word.substr(equals + 1), words[i].at};
    } else {
      const bool has_value = i + 1 < words.size() && words[i + 1].text.rfind("--", 0) != 0;
      found = CommandWord{has_value ? words[i + 1].text : "", words[i].at};
    }
  }
  return found;
}

}  // namespace deploy
