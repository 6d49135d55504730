// Cron schedules as CronJobs take them (robfig/cron's standard parser). Used to judge values. Pure.
#pragma once

#include <string>
#include <string_view>

namespace deploy {

/// What keeps the API server from taking the schedule: "hour 25 is not within 0 to 23"; empty: nothing.
[[nodiscard]] std::string cron_fault(std::string_view schedule);

}  // namespace deploy
