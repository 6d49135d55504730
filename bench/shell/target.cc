// See target.h.
#include "bench/shell/target.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>

#include "core/text.h"

namespace bench {
namespace {

using core::ErrorCode;

core::Error bad_url(std::string_view text, std::string_view why) {
  return core::fail(ErrorCode::kInvalid, fmt::format("\"{}\" is no URL: {}", text.substr(0, 200), why), "write http://host:port");
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

/// True when the address takes a connection within the timeout.
bool connects(const addrinfo& address, core::Duration timeout) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  bool connected = connect(fd, address.ai_addr, address.ai_addrlen) == 0;
  if (!connected && errno == EINPROGRESS) {
    pollfd waiting{fd, POLLOUT, 0};
    const auto timeout_ms = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(timeout).count());
    int error = 0;
    socklen_t size = sizeof error;
    connected = poll(&waiting, 1, timeout_ms) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  }
  close(fd);
  return connected;
}

std::optional<std::string> numeric_host(const addrinfo& address) {
  std::array<char, NI_MAXHOST> host{};
  if (getnameinfo(address.ai_addr, address.ai_addrlen, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
    return std::nullopt;
  }
  const std::string text(host.data());
  return address.ai_family == AF_INET6 ? "[" + text + "]" : text;
}

std::string authority(const Url& url) {
  const bool v6 = url.host.find(':') != std::string::npos;
  const bool standard = url.port == (url.scheme == "https" ? "443" : "80");
  return fmt::format("{}{}{}{}", v6 ? "[" : "", url.host, v6 ? "]" : "", standard ? "" : ":" + url.port);
}

}  // namespace

core::Result<Url> parse_url(std::string_view text) {
  Url url;
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return bad_url(text, "it has no scheme");
  url.scheme = core::to_lower(text.substr(0, scheme_end));
  if (url.scheme != "http" && url.scheme != "https") return bad_url(text, "the scheme must be http or https");
  std::string_view rest = text.substr(scheme_end + 3);
  if (rest.find_first_of(" \t\r\n?#") != std::string_view::npos) return bad_url(text, "no spaces, query or fragment here");
  const auto path = rest.find('/');
  if (path != std::string_view::npos) {
    url.path = rest.substr(path);
    rest = rest.substr(0, path);
    while (!url.path.empty() && url.path.back() == '/') url.path.pop_back();
  }
  const auto at = rest.rfind('@');
  url.credentials = at != std::string_view::npos;
  if (url.credentials) rest.remove_prefix(at + 1);
  const auto bracket = rest.find(']');
  const auto colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
  url.host = rest.substr(0, colon);
  if (bracket != std::string_view::npos) {
    if (rest.front() != '[') return bad_url(text, "the address in brackets is broken");
    url.host = rest.substr(1, bracket - 1);
  }
  url.port = url.scheme == "https" ? "443" : "80";
  if (colon != std::string_view::npos) url.port = rest.substr(colon + 1);
  const auto port = core::parse_integer(url.port);
  if (!port || *port < 1 || *port > 65535) return bad_url(text, "the port must be 1 to 65535");
  if (url.host.empty()) return bad_url(text, "it has no host");
  return url;
}

std::string to_string(const Url& url) { return fmt::format("{}://{}{}", url.scheme, authority(url), url.path); }

core::Result<Target> resolve_target(const std::string& text, core::Duration connect_timeout) {
  const auto url = parse_url(text);
  if (!url) return url.error();
  Target target{to_string(*url), ""};
  if (url->scheme == "https") return target;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (getaddrinfo(url->host.c_str(), url->port.c_str(), &hints, &list) != 0) return target;
  const std::unique_ptr<addrinfo, FreeAddresses> addresses(list);
  for (const addrinfo* address = list; address != nullptr; address = address->ai_next) {
    if (!connects(*address, connect_timeout)) continue;
    const auto host = numeric_host(*address);
    if (!host || *host == url->host) return target;
    target.base_url = fmt::format("http://{}:{}{}", *host, url->port, url->path);
    target.host_line = "Host: " + authority(*url);
    return target;
  }
  return target;
}

}  // namespace bench
