// The checks themselves, by what they look at. Private to deploy/live; check.cc lists them.
#pragma once

#include "deploy/live/check.h"

namespace deploy {

void check_nodes(const CheckContext& context, Judgement& judge);            ///< C1
void check_definition(const CheckContext& context, Judgement& judge);       ///< C2
void check_workload(const CheckContext& context, Judgement& judge);         ///< C3
void check_server_pods(const CheckContext& context, Judgement& judge);      ///< C4, K2
void check_server_arguments(const CheckContext& context, Judgement& judge); ///< K8, and part of C4
void check_picker(const CheckContext& context, Judgement& judge);           ///< C5
void check_gateway(const CheckContext& context, Judgement& judge);          ///< C6
void check_route(const CheckContext& context, Judgement& judge);            ///< C7
void check_pool(const CheckContext& context, Judgement& judge);             ///< C8
void check_requests(const CheckContext& context, Judgement& judge);         ///< C9, K6
void check_metrics(const CheckContext& context, Judgement& judge);          ///< C10
void check_inference_service(const CheckContext& context, Judgement& judge);  ///< K1
void check_children(const CheckContext& context, Judgement& judge);         ///< K3
void check_envoy_filters(const CheckContext& context, Judgement& judge);    ///< K4
void check_network_policies(const CheckContext& context, Judgement& judge); ///< K5
void check_picker_weights(const CheckContext& context, Judgement& judge);   ///< K7, and part of C5
void check_picker_used(const CheckContext& context, Judgement& judge);      ///< K9
void check_timeline(const CheckContext& context, Judgement& judge);         ///< K10

// What several of them ask.

/// The Deployment of the model servers; null: not there.
[[nodiscard]] const Object* server_deployment(const CheckContext& context);
/// Living pods of the Deployment's own selector; of the labels that the values say, when it is not there.
[[nodiscard]] std::vector<const Object*> server_pods(const CheckContext& context);
[[nodiscard]] std::vector<const Object*> picker_pods(const CheckContext& context);
/// "found: a, b" or "there is none", for what is missing under its name.
[[nodiscard]] std::string found_instead(const CheckContext& context, std::string_view kind);
/// A pod that is there and does not serve: why, as its status says, and what to do. Empty: it serves.
struct PodTrouble {
  std::string observed, remedy;
};
[[nodiscard]] PodTrouble trouble_of(const Object& pod);
/// All its containers run, none has restarted, and some say that they are not ready.
[[nodiscard]] bool runs_unready(const Object& pod);
/// "1", "1 to 3"
[[nodiscard]] std::string replicas_words(const CheckContext& context);

}  // namespace deploy
