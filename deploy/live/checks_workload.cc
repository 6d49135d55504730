// Nodes, the model servers' Deployment, their pods, arguments, and how long they took: C1, C3, C4, K2, K8, K10.
#include <algorithm>
#include <map>
#include <set>

#include "deploy/live/checks.h"
#include "deploy/tpu.h"

namespace deploy {
namespace {

constexpr std::string_view kInstanceType = "node.kubernetes.io/instance-type";
constexpr double kReadyWithinS = 900;      ///< image, model and compilation, as the guides measured them
constexpr double kStartedWithinS = 120;    ///< scheduled, image pulled, container running
constexpr double kChildrenWithinS = 30;

std::string number(std::int64_t n) { return std::to_string(n); }
std::string seconds_words(double seconds) { return std::to_string(static_cast<std::int64_t>(seconds + 0.5)) + " s"; }

/// What keeps a node from taking a replica; empty: nothing.
PodTrouble node_trouble(const Object& node, const Expectation& want) {
  const BundleValues& v = want.values();
  const Labels labels = labels_of(node.metadata()["labels"]);
  const auto label = [&](std::string_view key) {
    const auto at = labels.find(std::string(key));
    return at == labels.end() ? std::string("none") : at->second;
  };
  if (condition_of(node.root()["status"]["conditions"], "Ready")["status"].str() != "True") {
    return {"is not Ready: " + std::string(condition_of(node.root()["status"]["conditions"], "Ready")["message"].str()), "kubectl describe node " + node.name};
  }
  if (node.spec()["unschedulable"].is_true()) return {"is cordoned", "kubectl uncordon " + node.name + ", when its maintenance is over"};
  const Node& chips = node.root().path({"status", "allocatable", kTpu});
  if (!chips.exists() || chips.str() == "0") return {"offers no " + std::string(kTpu), "the TPU device plugin does not run there: kubectl -n kube-system get pods -o wide, names with tpu-device-plugin"};
  if (chips.integer() != v.integer("chips")) return {"offers " + std::string(chips.str()) + " chips", "a machine type with " + v.text("chips") + " chips per host: " + v.text("node_pool.machine_type")};
  if (label(kTopologyLabel) != v.text("topology")) return {"has topology " + label(kTopologyLabel), "pods select topology " + v.text("topology") + ": make the node pool with it"};
  if (label(kInstanceType) != v.text("node_pool.machine_type")) return {"is of machine type " + label(kInstanceType), "make the node pool of " + v.text("node_pool.machine_type") + ", or state yours as node_pool.machine_type"};
  return {};
}

std::string container_words(const Node& status) { return "container " + std::string(status["name"].str()); }

/// A container that waits to start or start again.
PodTrouble waiting_trouble(const Object& pod, const Node& status) {
  const Node& waiting = status["state"]["waiting"];
  const auto reason = waiting["reason"].str();
  const std::string message(waiting["message"].str());
  const std::string container = container_words(status);
  const std::string in = " -n " + pod.name_space + " " + pod.name;
  if (reason == "ImagePullBackOff" || reason == "ErrImagePull" || reason == "InvalidImageName") {
    return {container + " cannot pull its image: " + message, "check the tag and the registry's secret: kubectl describe pod" + in};
  }
  if (reason == "CreateContainerConfigError") return {container + " cannot be configured: " + message, "make what it names in namespace " + pod.name_space + ", with every key that the pod reads"};
  if (reason == "CrashLoopBackOff") {
    const Node& last = status["lastState"]["terminated"];
    if (last["reason"].str() == "OOMKilled") return {container + " is killed for want of host memory again and again", "raise vllm.memory: this is RAM of the host, not of the chips"};
    return {container + " crashes again and again, exit code " + std::string(last["exitCode"].str()), "kubectl logs" + in + " -c " + std::string(status["name"].str()) + " --previous"};
  }
  return {};
}

PodTrouble restart_trouble(const Object& pod, const Node& status) {
  const auto restarts = status["restartCount"].integer().value_or(0);
  const Node& last = status["lastState"]["terminated"];
  if (last["reason"].str() == "OOMKilled") {
    return {container_words(status) + " was killed for want of host memory (OOMKilled), " + number(restarts) + " restarts", "raise vllm.memory: this is RAM of the host, not of the chips"};
  }
  if (restarts == 0) return {};
  const std::string how = last.exists() ? ", last exit code " + std::string(last["exitCode"].str()) + " (" + std::string(last["reason"].str()) + ")" : "";
  return {container_words(status) + " has restarted " + number(restarts) + " times" + how,
          "kubectl logs -n " + pod.name_space + " " + pod.name + " -c " + std::string(status["name"].str()) + " --previous"};
}

void judge_pod(const CheckContext& context, const Object& pod, Judgement& judge) {
  if (const auto trouble = trouble_of(pod); !trouble.observed.empty()) {
    judge.failed(pod.title(), trouble.observed, "Running and Ready, never restarted", trouble.remedy);
    return;
  }
  const std::string& chips = context.want.values().text("chips");
  std::int64_t most = 0;
  for (const Node* container : containers_of(pod.spec())) most = std::max(most, resource_of(*container, kTpu).value_or(0));
  if (number(most) != chips) {
    judge.failed(pod.title(), most == 0 ? "asks for no " + std::string(kTpu) : "asks for " + number(most) + " chips", chips + " chips, as the values say", "apply the bundle again; charts: check decode.containers[].resources");
  }
}

/// Evicted pods of the model servers: others' evictions in the namespace are others' matter.
void judge_strays(const CheckContext& context, Judgement& judge) {
  const Labels ours = labels_in(context.want.names().server_selector);
  for (const Object* pod : context.state.objects().of_kind("", "Pod")) {
    if (pod->root().path({"status", "reason"}).str() != "Evicted" || !same_namespace(pod->name_space, context.want.name_space())) continue;
    if (!selects(ours, labels_of(pod->metadata()["labels"]))) continue;
    judge.failed(pod->title(), "was evicted: " + std::string(pod->root().path({"status", "message"}).str()), "no evictions", "raise the requests that ran out (memory, ephemeral storage: model.cache_size), then delete the pod's record");
  }
}

void judge_nodes_of(const std::vector<const Object*>& pods, Judgement& judge) {
  std::map<std::string, std::string> on;
  for (const Object* pod : pods) {
    const std::string node(pod->spec()["nodeName"].str());
    if (node.empty()) continue;
    const auto [at, fresh] = on.emplace(node, pod->name);
    if (!fresh) judge.failed(pod->title(), "runs on node " + node + " with " + at->second, "one replica per node", "the request for chips must be all of a host's; see chips and topology in the values");
  }
}

/// Arguments as the running pods have them.
void judge_arguments(const CheckContext& context, const Object& pod, Judgement& judge) {
  const BundleValues& v = context.want.values();
  std::vector<CommandWord> words;
  for (const Node* container : containers_of(pod.spec())) {
    const auto more = command_words(*container);
    const bool serves = flag_value(more, "--tensor-parallel-size") || flag_value(more, "--max-model-len") || resource_of(*container, kTpu);
    if (serves) words = more;
  }
  const auto length = flag_value(words, "--max-model-len");
  const std::string want_length = "--max-model-len=" + v.text("model.max_model_len");
  if (!length) judge.failed(pod.title(), "no --max-model-len", want_length, "put it into the server's args; KServe: spec.template.containers[name=main].args");
  else if (length->text != v.text("model.max_model_len")) judge.failed(pod.title(), "--max-model-len=" + length->text, want_length, "apply the bundle again, or state yours as model.max_model_len");
  const bool off = flag_value(words, "--no-enable-prefix-caching").has_value();
  const bool on = flag_value(words, "--enable-prefix-caching").has_value();
  if (v.flag("prefix_caching") && off) judge.failed(pod.title(), "--no-enable-prefix-caching", "prefix caching on", "take the argument away");
  else if (v.flag("prefix_caching") && !on) judge.failed(pod.title(), "no --enable-prefix-caching among the arguments", "--enable-prefix-caching, stated", "put it into the server's args: extraArgs and the like reach no server");
  else if (!v.flag("prefix_caching") && !off) judge.failed(pod.title(), "prefix caching is on (vLLM's default)", "--no-enable-prefix-caching", "state the argument: leaving --enable-prefix-caching out turns nothing off");
}

}  // namespace

PodTrouble trouble_of(const Object& pod) {
  const Node& status = pod.root()["status"];
  const Node& scheduled = condition_of(status["conditions"], "PodScheduled");
  if (scheduled["status"].str() == "False") {
    return {"has no node: " + std::string(scheduled["message"].str()), "grow the node pool, or free chips: kubectl describe pod -n " + pod.name_space + " " + pod.name};
  }
  std::vector<const Node*> containers;
  for (const auto part : {"initContainerStatuses", "containerStatuses"}) {
    for (const auto& one : status[std::string_view(part)].items) containers.push_back(&one);
  }
  for (const Node* one : containers) {
    if (auto trouble = waiting_trouble(pod, *one); !trouble.observed.empty()) return trouble;
  }
  for (const Node* one : containers) {
    if (auto trouble = restart_trouble(pod, *one); !trouble.observed.empty()) return trouble;
  }
  if (is_ready(pod)) return {};
  for (const Node* one : containers) {
    if ((*one)["state"]["running"].exists() && !(*one)["ready"].is_true()) {
      return {container_words(*one) + " runs, and is not ready since " + std::string((*one)["state"]["running"]["startedAt"].str()),
              "it loads or compiles the model (10 minutes are usual), or a probe asks the wrong port or scheme: kubectl logs -n " + pod.name_space + " " + pod.name};
    }
  }
  return {"is " + std::string(status["phase"].str()) + ", not Ready", "kubectl describe pod -n " + pod.name_space + " " + pod.name};
}

bool runs_unready(const Object& pod) {
  const auto& containers = pod.root()["status"]["containerStatuses"].items;
  return !containers.empty() && !is_ready(pod) && std::all_of(containers.begin(), containers.end(), [](const Node& one) {
    return one["state"]["running"].exists() && one["restartCount"].integer().value_or(0) == 0;
  });
}

const Object* server_deployment(const CheckContext& context) {
  return context.state.objects().find("Deployment", context.want.name_space(), context.want.names().workload);
}

std::vector<const Object*> server_pods(const CheckContext& context) {
  if (const Object* deployment = server_deployment(context)) return context.state.pods_selected(deployment->spec()["selector"], context.want.name_space());
  return context.state.pods_with(labels_in(context.want.names().server_selector), context.want.name_space());
}

std::vector<const Object*> picker_pods(const CheckContext& context) {
  const Object* deployment = context.state.objects().find("Deployment", context.want.name_space(), context.want.names().picker);
  if (deployment != nullptr) return context.state.pods_selected(deployment->spec()["selector"], context.want.name_space());
  return context.state.pods_with(labels_in(context.want.names().picker_selector), context.want.name_space());
}

std::string found_instead(const CheckContext& context, std::string_view kind) {
  std::string names;
  std::size_t n = 0;
  for (const Object* object : context.state.objects().of_kind(kind)) {
    if (++n <= 5) names += (names.empty() ? "" : ", ") + object->name;
  }
  if (n == 0) return "there is none";
  return "not there; found: " + names + (n > 5 ? " and " + std::to_string(n - 5) + " more" : "");
}

std::string replicas_words(const CheckContext& context) {
  const auto [least, most] = context.want.replicas();
  return least == most ? number(least) : number(least) + " to " + number(most);
}

void check_nodes(const CheckContext& context, Judgement& judge) {
  if (!judge.captured(context, "Node")) return;
  const std::int64_t needed = context.want.replicas().first;
  std::int64_t good = 0, all = 0;
  std::vector<std::pair<const Object*, PodTrouble>> bad;
  for (const Object* node : context.state.objects().of_kind("", "Node")) {
    ++all;
    auto trouble = node_trouble(*node, context.want);
    if (trouble.observed.empty()) ++good;
    else bad.emplace_back(node, std::move(trouble));
  }
  const std::string words = number(needed) + (needed == 1 ? " node of " : " nodes of ") + context.want.values().text("node_pool.machine_type");
  // A fault on a node that nobody needs is worth a line, not a failure.
  for (auto& [node, trouble] : bad) {
    if (good < needed) judge.failed("Node " + node->name, trouble.observed, words + ", Ready, with all chips", trouble.remedy);
    else judge.warned("Node " + node->name, trouble.observed, "Ready, with all chips", trouble.remedy);
  }
  const std::string seen = number(good) + " of " + number(all) + " TPU nodes can take a replica";
  if (good < needed && all < needed) judge.failed("nodes", all == 0 ? "no node has the label of " + context.want.values().text("accelerator") : "only " + number(all) + " TPU nodes", words, "grow node pool " + context.want.values().text("node_pool.name") + "; gatebench deploy runbook says how, and what it costs");
  else if (good >= needed) judge.passed("nodes", seen);
}

void check_workload(const CheckContext& context, Judgement& judge) {
  if (!judge.captured(context, "Deployment")) return;
  const std::string& name = context.want.names().workload;
  const std::string subject = "Deployment " + context.want.name_space() + "/" + name;
  const Object* deployment = server_deployment(context);
  if (deployment == nullptr) {
    judge.failed(subject, found_instead(context, "Deployment"), name, "deploy it, or give the values it was deployed with: -f values.yaml");
    return;
  }
  const Node& status = deployment->root()["status"];
  const auto count = [&](std::string_view key) { return status[key].integer().value_or(0); };
  const auto wanted = deployment->spec()["replicas"].integer().value_or(1);
  const auto [least, most] = context.want.replicas();
  if (count("observedGeneration") < deployment->metadata()["generation"].integer().value_or(0)) {
    judge.failed(subject, "its latest change has not been seen by the controller", "observedGeneration equals generation", "wait; if it stays, look at kube-controller-manager");
  }
  if (wanted < least || wanted > most) judge.failed(subject, "asks for " + number(wanted) + " replicas", replicas_words(context), "scale it, or state yours as replicas: somebody, or an autoscaler, has changed it");
  const Node& progress = condition_of(status["conditions"], "Progressing");
  if (progress["reason"].str() == "ProgressDeadlineExceeded") {
    judge.failed(subject, "its rollout is stuck: " + std::string(progress["message"].str()), "a finished rollout", "free a node: with every node full, maxSurge must be 0");
  } else if (count("updatedReplicas") < wanted) {
    judge.failed(subject, number(count("updatedReplicas")) + " of " + number(wanted) + " replicas are of the latest revision", "all", "wait for the rollout: kubectl -n " + context.want.name_space() + " rollout status deploy/" + name);
  }
  if (count("readyReplicas") == wanted && count("unavailableReplicas") > 0) {
    judge.failed(subject, "all " + number(wanted) + " are ready, and " + number(count("unavailableReplicas")) + " more are not available", "a finished rollout", "an old or new pod is on its way: check again, or see the pods' own lines");
  } else if (count("readyReplicas") != wanted) {
    judge.failed(subject, number(count("readyReplicas")) + " of " + number(wanted) + " replicas are ready", "all", "the pods' own lines say why");
  } else if (wanted >= least && wanted <= most) {
    judge.passed(subject, number(wanted) + " of " + number(wanted) + " replicas ready and up to date");
  }
}

void check_server_pods(const CheckContext& context, Judgement& judge) {
  if (!judge.captured(context, "Pod")) return;
  const auto pods = server_pods(context);
  const auto [least, most] = context.want.replicas();
  const auto found = static_cast<std::int64_t>(pods.size());
  if (found == 0) judge.failed("pods", "none with " + context.want.names().server_selector + " in namespace " + context.want.name_space(), replicas_words(context), "deploy the model servers; kubectl get pods -n " + context.want.name_space() + " --show-labels shows what is there");
  else if (found < least || found > most) judge.failed("pods", number(found) + " living pods", replicas_words(context), "a rollout is under way, or the Deployment is scaled otherwise");
  for (const Object* pod : pods) {
    judge_pod(context, *pod, judge);
    if (context.want.variant() != Variant::kIstioKserve) judge_arguments(context, *pod, judge);
    const std::string& image = context.want.values().text("images.vllm");
    const auto& containers = pod->spec()["containers"].items;
    const bool same = std::any_of(containers.begin(), containers.end(), [&](const Node& c) { return c["image"].str() == image; });
    if (!same && !containers.empty()) judge.warned(pod->title(), "runs image " + std::string(containers.front()["image"].str()), image, "apply the bundle again, or state yours as images.vllm");
  }
  judge_nodes_of(pods, judge);
  judge_strays(context, judge);
  std::set<std::string_view> nodes;
  for (const Object* pod : pods) nodes.insert(pod->spec()["nodeName"].str());
  const auto ready = std::count_if(pods.begin(), pods.end(), [](const Object* pod) { return is_ready(*pod); });
  if (ready > 0) judge.passed("pods", number(ready) + " of " + number(found) + " Ready, on " + std::to_string(nodes.size()) + (nodes.size() == 1 ? " node" : " nodes"));
}

void check_server_arguments(const CheckContext& context, Judgement& judge) {
  if (!judge.captured(context, "Pod")) return;
  const auto pods = server_pods(context);
  for (const Object* pod : pods) judge_arguments(context, *pod, judge);
  if (pods.empty()) judge.unknown("arguments", "no model server runs", "arguments of running pods", "see K2");
  else judge.passed("arguments", "of " + std::to_string(pods.size()) + " pods read");
}

void check_timeline(const CheckContext& context, Judgement& judge) {
  if (!judge.captured(context, "Pod")) return;
  const auto now = context.state.captured_at();
  const auto pods = server_pods(context);
  for (const Object* pod : pods) {
    const auto created = unix_seconds(pod->metadata()["creationTimestamp"].str());
    if (!created) {
      judge.unknown(pod->title(), "no creationTimestamp", "a time", "");
      continue;
    }
    const Node& conditions = pod->root()["status"]["conditions"];
    const auto ready = unix_seconds(condition_of(conditions, "Ready")["lastTransitionTime"].str());
    if (!is_ready(*pod)) {
      if (!now) judge.unknown(pod->title(), "not Ready, and the saved state says no time", "capture.json", "save it with gatebench deploy check --save DIR");
      else if (*now - *created > kReadyWithinS) judge.failed(pod->title(), "not Ready " + seconds_words(*now - *created) + " after its creation", "within " + seconds_words(kReadyWithinS), "it hangs: " + trouble_of(*pod).observed);
      else judge.unknown(pod->title(), "not Ready yet, " + seconds_words(*now - *created) + " after its creation", "within " + seconds_words(kReadyWithinS), "check again");
      continue;
    }
    if (!ready) continue;
    std::string words = "Ready " + seconds_words(*ready - *created) + " after its creation";
    std::optional<double> started;
    for (const auto& one : pod->root()["status"]["containerStatuses"].items) {
      const auto at = unix_seconds(one["state"]["running"]["startedAt"].str());
      if (at) started = std::max(started.value_or(*at), *at);
    }
    if (started && *started - *created > kStartedWithinS) judge.warned(pod->title(), "its container started " + seconds_words(*started - *created) + " after its creation", "within " + seconds_words(kStartedWithinS), "the node was new, or the image is pulled from far: pre-pull it, or keep the pool's size");
    // A pod that lost and regained readiness has the later time here: it is a hint, no proof.
    if (*ready - *created > kReadyWithinS) judge.warned(pod->title(), words, "within " + seconds_words(kReadyWithinS), "look at model download and compilation in its log; it may also have become ready again later");
    else judge.passed(pod->title(), words);
  }
  if (pods.empty()) judge.unknown("pods", "no model server runs", "pods with times", "deploy them");
  if (context.want.variant() != Variant::kIstioKserve) return;
  const Object* service = context.state.objects().find("LLMInferenceService", context.want.name_space(), context.want.values().text("service_name"));
  const auto begun = service == nullptr ? std::nullopt : unix_seconds(service->metadata()["creationTimestamp"].str());
  if (!begun) return;
  for (const auto& [kind, name] : {std::pair<std::string, std::string>{"HTTPRoute", context.want.names().route}, {"InferencePool", context.want.names().pool}, {"Deployment", context.want.names().picker}}) {
    const Object* child = context.state.objects().find(kind, context.want.name_space(), name);
    const auto at = child == nullptr ? std::nullopt : unix_seconds(child->metadata()["creationTimestamp"].str());
    if (at && *at - *begun > kChildrenWithinS) judge.warned(child->title(), "made " + seconds_words(*at - *begun) + " after its service", "within " + seconds_words(kChildrenWithinS), "the controller was late, or it was deleted and made again");
  }
}

}  // namespace deploy
