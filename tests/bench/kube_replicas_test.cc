// Pods as replicas: references, pod lists, a stub kubectl whose proxy child must end, and a small fake API server.
#include "bench/shell/kube_replicas.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <thread>

#include "core/net/http_server.h"
#include "tests/support/process.h"

namespace bench {
namespace {

constexpr std::string_view kPods = R"({"kind":"PodList","items":[
 {"metadata":{"name":"vllm-b"},"spec":{"containers":[{"ports":[{"containerPort":9},{"name":"http","containerPort":8200}]}]},
  "status":{"phase":"Running","podIP":"10.1.0.2","conditions":[{"type":"Ready","status":"True"}]}},
 {"metadata":{"name":"vllm-a"},"spec":{"containers":[{}]},
  "status":{"phase":"Running","podIP":"fd00::1","conditions":[{"type":"Initialized","status":"True"},{"type":"Ready","status":"True"}]}},
 {"metadata":{"name":"vllm-c"},"status":{"phase":"Pending"}},
 {"metadata":{"name":"vllm-d","deletionTimestamp":"2026-01-01T00:00:00Z"},
  "status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}]})";

TEST(KubeSelection, NamesNamespaceSelectorAndPort) {
  const auto plain = parse_kube_selection("kube:llm-d/app.kubernetes.io/name=vllm,tier=gpu:8200");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->name_space, "llm-d");
  EXPECT_EQ(plain->selector, "app.kubernetes.io/name=vllm,tier=gpu");
  EXPECT_EQ(plain->port, 8200);
  EXPECT_FALSE(plain->tls);
  EXPECT_FALSE(parse_kube_selection("kube:default/app=vllm")->port.has_value());
  const auto tls = parse_kube_selection("kube:default/app=vllm:https:8443");
  ASSERT_TRUE(tls.has_value());
  EXPECT_TRUE(tls->tls);
  EXPECT_EQ(tls->port, 8443);
  EXPECT_EQ(tls->selector, "app=vllm");
  EXPECT_TRUE(parse_kube_selection("kube:default/app=vllm:https")->tls);
  for (const char* bad : {"default/app=vllm", "kube:", "kube:default", "kube:/app=x", "kube:default/", "kube:default/app=x:0",
                          "kube:default/app=x:http", "kube:default/app=x:https:http", "kube:default/:https:1", "kube:default/a:b:1", "kube:De fault/app=x", "kube:--all/app=x", "kube:default/--all"}) {
    const auto selection = parse_kube_selection(bad);
    ASSERT_FALSE(selection.has_value()) << bad;
    EXPECT_EQ(selection.error().code, core::ErrorCode::kInvalid);
    EXPECT_NE(selection.error().hint.find("kube:default/app=vllm:8000"), std::string::npos);
  }
}

TEST(KubePods, ReadyOnesWithTheirOwnPort) {
  const auto pods = parse_pod_list(kPods, {});
  ASSERT_TRUE(pods.has_value());
  ASSERT_EQ(pods->size(), 4u);
  EXPECT_EQ((*pods)[0].name, "vllm-a");
  EXPECT_EQ((*pods)[0].port, 8000);
  EXPECT_EQ((*pods)[1].port, 8200);
  EXPECT_EQ((*pods)[1].address, "10.1.0.2");
  EXPECT_TRUE((*pods)[1].ready);
  EXPECT_FALSE((*pods)[2].ready);
  EXPECT_FALSE((*pods)[3].ready);
  EXPECT_EQ((*parse_pod_list(kPods, 1234))[1].port, 1234);
  for (const char* bad : {"", "null", "[]", "{}", R"({"items":[{}]})", R"({"items":[{"metadata":{"name":1}}]})", R"({"items":3})"}) {
    const auto none = parse_pod_list(bad, {});
    ASSERT_FALSE(none.has_value()) << bad;
    EXPECT_EQ(none.error().message.find("[json.exception"), std::string::npos) << none.error().message;
  }
  EXPECT_NE(parse_pod_list("<html>\x1b", {}).error().message.find("it begins with \"<html> \""), std::string::npos);
  // A pod that waits for its address is not ready, and no fault of the list.
  EXPECT_TRUE(parse_pod_list(R"({"items":[{"metadata":{"name":"x"},"status":{"podIP":null}}]})", {}).has_value());
}

TEST(KubeSelection, AServiceIsNamed) {
  const auto service = parse_kube_selection("kube:llm/service/vllm-0:https:8443");
  ASSERT_TRUE(service.has_value());
  EXPECT_EQ(service->service, "vllm-0");
  EXPECT_EQ(service->selector, "kubernetes.io/service-name=vllm-0");
  EXPECT_TRUE(service->tls);
  EXPECT_EQ(service->port, 8443);
  EXPECT_EQ(parse_kube_selection("kube:llm/service/x=y")->service, "");
  EXPECT_EQ(parse_kube_selection("kube:llm/service/x=y")->selector, "service/x=y");
  EXPECT_EQ(parse_kube_selection("kube:llm/app=vllm")->service, "");
  for (const char* bad : {"kube:llm/service/", "kube:llm/service/A", "kube:llm/service/a/b", "kube:llm/service/a b", "kube:llm/service/a.b"}) {
    const auto selection = parse_kube_selection(bad);
    ASSERT_FALSE(selection.has_value()) << bad;
    EXPECT_NE(selection.error().hint.find("kube:NAMESPACE/service/NAME"), std::string::npos);
  }
}

// Two slices of pods by address family, one more of other pods and ports, one endpoint that is no pod.
constexpr std::string_view kSlices = R"({"kind":"EndpointSliceList","items":[
 {"addressType":"IPv6","ports":[{"name":"http","port":8200}],"endpoints":[
  {"addresses":["fd00::1"],"conditions":{"ready":true,"serving":true,"terminating":false},"targetRef":{"kind":"Pod","name":"vllm-a"}},
  {"addresses":["fd00::5"],"conditions":{"ready":true},"targetRef":{"kind":"Pod","name":"vllm-v6"}}]},
 {"addressType":"IPv4","ports":[{"name":"grpc","port":9000},{"name":"http","port":8200}],"endpoints":[
  {"addresses":["10.1.0.1"],"conditions":{"ready":true},"targetRef":{"kind":"Pod","name":"vllm-a"}},
  {"addresses":["10.1.0.2"],"conditions":{"ready":false,"serving":true,"terminating":true},"targetRef":{"kind":"Pod","name":"vllm-ends"}},
  {"addresses":["10.1.0.3"],"conditions":{"ready":false},"targetRef":{"kind":"Pod","name":"vllm-waits"}},
  {"addresses":["10.1.0.4"],"targetRef":{"kind":"Pod","name":"vllm-silent"}}]},
 {"addressType":"IPv4","ports":[{"name":"grpc","port":9000}],"endpoints":[
  {"addresses":["10.1.0.1"],"conditions":{"ready":true},"targetRef":{"kind":"Pod","name":"vllm-a"}},
  {"addresses":["192.0.2.9"],"conditions":{"ready":true}}]},
 {"addressType":"IPv4","ports":null,"endpoints":null}]})";

TEST(KubeSlices, AreJoinedByPod) {
  const auto pods = parse_endpoint_slices(kSlices, {});
  ASSERT_TRUE(pods.has_value()) << pods.error().message;
  ASSERT_EQ(pods->size(), 6u);
  std::string all;
  for (const auto& pod : *pods) all += pod.name + " " + pod.address + " " + std::to_string(pod.port) + (pod.ready ? " ready" : "") + (pod.is_pod ? "\n" : " no pod\n");
  EXPECT_EQ(all,
            "192.0.2.9 192.0.2.9 9000 ready no pod\nvllm-a 10.1.0.1 8200 ready\nvllm-ends 10.1.0.2 8200\nvllm-silent 10.1.0.4 8200 ready\n"
            "vllm-v6 fd00::5 8200 ready\nvllm-waits 10.1.0.3 8200\n");
  EXPECT_EQ(parse_endpoint_slices(kSlices, 1234)->at(1).port, 1234);
  EXPECT_EQ(parse_endpoint_slices(R"({"items":[{"addressType":"IPv4","ports":[],"endpoints":[{"addresses":["10.0.0.1"]}]}]})", {})->at(0).port, 8000);
}

TEST(KubeSlices, OthersAnswersAreRefused) {
  for (const char* bad : {"", "null", "[]", "{}", R"({"items":3})", R"({"items":[3]})", R"({"items":[{"endpoints":[{}]}]})", R"({"items":[{"addressType":"IPv4","endpoints":[{"addresses":[]}]}]})",
                          R"({"items":[{"addressType":"IPv4","endpoints":[{"addresses":[7]}]}]})", R"({"items":[{"addressType":"IPv4","endpoints":{"a":1}}]})"}) {
    EXPECT_FALSE(parse_endpoint_slices(bad, {}).has_value()) << bad;
  }
  // Wrong ports are left out, not believed.
  EXPECT_EQ(parse_endpoint_slices(R"({"items":[{"addressType":"IPv4","ports":[{"port":0},{"port":70000},{"port":"x","name":3},{"port":81}],"endpoints":[{"addresses":["10.0.0.1"]}]}]})", {})->at(0).port, 81);
  for (std::size_t cut = 0; cut < kSlices.size(); ++cut) EXPECT_FALSE(parse_endpoint_slices(kSlices.substr(0, cut), {}).has_value());
}

TEST(KubePods, ProxyLineAndQuery) {
  EXPECT_EQ(parse_proxy_port("Starting to serve on 127.0.0.1:45213"), 45213);
  EXPECT_FALSE(parse_proxy_port("Starting to serve on /tmp/socket").has_value());
  EXPECT_FALSE(parse_proxy_port("error: 127.0.0.1:80").has_value());
  EXPECT_EQ(encode_query("a/b=c,d in (e)"), "a%2Fb%3Dc%2Cd%20in%20%28e%29");
}

class KubectlTest : public testing::Test {
 protected:
  /// A kubectl that notes its arguments and acts as `script` says.
  KubeSurroundings stub(const std::string& script) {
    const std::string path = folder_.file("kubectl");
    std::ofstream(path) << "#!/bin/sh\necho \"$@\" >> " << folder_.file("calls") << "\n" << script;
    chmod(path.c_str(), 0755);
    std::ofstream(folder_.file("pods.json")) << kPods;
    KubeSurroundings surroundings;
    surroundings.kubectl = path;
    return surroundings;
  }
  std::string calls() {
    std::ifstream file(folder_.file("calls"));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  support::ScratchFolder folder_;
  const KubeSelection selection_{"llm", "app=vllm", "", false, {}};
};

TEST_F(KubectlTest, PodsAreScrapedThroughAProxyThatEndsWithTheObject) {
  const auto surroundings = stub("if [ $1 = get ]; then cat " + folder_.file("pods.json") +
                                 "; else echo 'Starting to serve on 127.0.0.1:45213'; exec sleep 600; fi\n");
  pid_t pid = -1;
  {
    const auto found = KubeReplicas::find(selection_, surroundings);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    ASSERT_EQ(found->targets().size(), 2u);
    EXPECT_EQ(found->targets()[1].name, "vllm-b");
    EXPECT_EQ(found->targets()[1].metrics_url, "http://127.0.0.1:45213/api/v1/namespaces/llm/pods/vllm-b:8200/proxy/metrics");
    EXPECT_EQ(found->note(), "2 of 4 pods are ready; not used: vllm-c, vllm-d");
    EXPECT_TRUE(found->proxied());
    pid = found->proxy_pid();
    ASSERT_EQ(kill(pid, 0), 0);
  }
  EXPECT_NE(kill(pid, 0), 0);
  EXPECT_EQ(errno, ESRCH);
  EXPECT_EQ(calls(), "get pods -n llm -l app=vllm -o json\nproxy --port=0 --address=127.0.0.1\n");
}

TEST_F(KubectlTest, PodsThatServeHttpsAreAskedSo) {
  const auto surroundings = stub("if [ $1 = get ]; then cat " + folder_.file("pods.json") +
                                 "; else echo 'Starting to serve on 127.0.0.1:45213'; exec sleep 600; fi\n");
  KubeSelection selection = selection_;
  selection.tls = true;
  const auto found = KubeReplicas::find(selection, surroundings);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->targets()[1].metrics_url, "http://127.0.0.1:45213/api/v1/namespaces/llm/pods/https:vllm-b:8200/proxy/metrics");
}

TEST_F(KubectlTest, EndpointsOfAServiceAreScrapedByTheirPods) {
  auto surroundings = stub("if [ $1 = get ]; then cat " + folder_.file("slices.json") + "; else echo 'Starting to serve on 127.0.0.1:45213'; exec sleep 600; fi\n");
  const KubeSelection service = *parse_kube_selection("kube:llm/service/vllm");
  std::ofstream(folder_.file("slices.json")) << kSlices;
  auto found = KubeReplicas::find(service, surroundings);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().message, "endpoint 192.0.2.9 of Service vllm is no pod: kubectl's proxy does not reach it");
  std::string pods_only(kSlices);
  const std::string no_pod = R"(,
  {"addresses":["192.0.2.9"],"conditions":{"ready":true}})";
  pods_only.erase(pods_only.find(no_pod), no_pod.size());
  std::ofstream(folder_.file("slices.json")) << pods_only;
  found = KubeReplicas::find(service, surroundings);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  ASSERT_EQ(found->targets().size(), 3u);
  EXPECT_EQ(found->targets()[0].metrics_url, "http://127.0.0.1:45213/api/v1/namespaces/llm/pods/vllm-a:8200/proxy/metrics");
  EXPECT_EQ(found->note(), "3 of 5 endpoints are ready; not used: vllm-ends, vllm-waits");
  EXPECT_NE(calls().find("get endpointslices.discovery.k8s.io -n llm -l kubernetes.io/service-name=vllm -o json\n"), std::string::npos);
  std::ofstream(folder_.file("slices.json")) << R"({"items":[]})";
  found = KubeReplicas::find(service, surroundings);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().message, "Service vllm in namespace llm has no endpoints");
}

TEST_F(KubectlTest, FailuresAreTold) {
  auto found = KubeReplicas::find(selection_, stub("echo 'Error: context \"x\" does not exist' >&2; exit 1\n"));
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, core::ErrorCode::kUnreachable);
  EXPECT_EQ(found.error().message, "kubectl get pods failed: Error: context \"x\" does not exist");
  found = KubeReplicas::find(selection_, stub("if [ $1 = get ]; then cat " + folder_.file("pods.json") +
                                              "; else echo 'bind: no' >&2; exit 1; fi\n"));
  ASSERT_FALSE(found.has_value());
  EXPECT_NE(found.error().message.find("bind: no"), std::string::npos) << found.error().message;
  found = KubeReplicas::find(selection_, stub("echo '{\"items\":[]}'\n"));
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, core::ErrorCode::kInvalid);
  EXPECT_EQ(found.error().message, "no pod in namespace llm with app=vllm is ready (0 found)");
  KubeSurroundings missing;
  missing.kubectl = folder_.file("no-such-kubectl");
  found = KubeReplicas::find(selection_, missing);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().message, "kubectl was not found");
}

TEST_F(KubectlTest, InsideTheClusterTheApiServerIsAskedAndPodsAreScrapedDirectly) {
  core::net::Loop loop;
  std::string target, authorization;
  auto server = core::net::HttpServer::listen(loop, {}, [&](core::net::HttpExchange& exchange) {
    target = exchange.request().target;
    authorization = std::string(core::net::find_header(exchange.request().headers, "authorization"));
    exchange.respond(authorization == "Bearer account-token" ? 200 : 403, {}, std::string(exchange.request().path.find("endpointslices") == std::string::npos ? kPods : kSlices));
  });
  ASSERT_TRUE(server.has_value());
  KubeSurroundings inside;
  inside.service_host = "127.0.0.1";
  inside.service_port = std::to_string((*server)->port());
  inside.scheme = "http";
  inside.account_folder = folder_.path();
  std::thread serving([&] { loop.run(); });
  const auto unmounted = KubeReplicas::find(selection_, inside);
  std::ofstream(folder_.file("token")) << "account-token\n";
  std::ofstream(folder_.file("ca.crt")) << "";
  const auto found = KubeReplicas::find(selection_, inside);
  const std::string pods_target = target;
  const auto slices = KubeReplicas::find(*parse_kube_selection("kube:llm/service/vllm:https"), inside);
  const std::string slices_target = target;
  std::ofstream(folder_.file("token")) << "other\n";
  const auto refused = KubeReplicas::find(selection_, inside);
  loop.post([&] {
    (*server)->close();
    loop.stop();
  });
  serving.join();
  EXPECT_FALSE(unmounted.has_value());
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(pods_target, "/api/v1/namespaces/llm/pods?labelSelector=app%3Dvllm");
  ASSERT_TRUE(slices.has_value()) << slices.error().message;
  EXPECT_EQ(slices_target, "/apis/discovery.k8s.io/v1/namespaces/llm/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dvllm");
  ASSERT_EQ(slices->targets().size(), 4u);
  EXPECT_EQ(slices->targets()[0].metrics_url, "https://192.0.2.9:9000/metrics");
  EXPECT_EQ(slices->targets()[1].metrics_url, "https://10.1.0.1:8200/metrics");
  EXPECT_EQ(slices->targets()[3].metrics_url, "https://[fd00::5]:8200/metrics");
  EXPECT_FALSE(found->proxied());
  EXPECT_EQ(found->targets()[0].metrics_url, "http://[fd00::1]:8000/metrics");
  EXPECT_EQ(found->targets()[1].metrics_url, "http://10.1.0.2:8200/metrics");
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("status 403"), std::string::npos);
  EXPECT_EQ(refused.error().message.find("other"), std::string::npos);
}

}  // namespace
}  // namespace bench
