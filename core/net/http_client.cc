#include "core/net/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/check.h"
#include "core/net/arrival_clock.h"
#include "core/text.h"

namespace core::net {
namespace {

constexpr long kReadBufferBytes = 16384;

class Client;
struct Shard;

/// A socket's poll handle. It lives as long as the socket: curl asks for removal after each transfer and for watching
/// again with the next, and re-creating the handle each time costs several system calls.
struct SocketWatch {
  uv_poll_t poll{};
  Shard* shard = nullptr;
  curl_socket_t fd = CURL_SOCKET_BAD;
};

/// One transfer's place: an easy handle that is reused.
struct Slot {
  Client* client = nullptr;
  Shard* shard = nullptr;
  TransferId id = 0;
  CURL* easy = nullptr;
  TransferSink* sink = nullptr;
  std::vector<std::string> header_lines;
  curl_slist* headers = nullptr;
  TimePoint sent{};
  int http_status = 0;
  bool busy = false, added = false, cancelled = false, connected = false;
};

struct Shard {
  Client* client = nullptr;
  CURLM* multi = nullptr;
  uv_timer_t timer{};
  std::vector<TransferId> waiting;  // started from inside a curl callback, where curl takes no new handle
  std::size_t busy = 0;
  bool in_action = false, collecting = false;
};

void delete_watch(uv_handle_t* handle) { delete static_cast<SocketWatch*>(handle->data); }

class Client final : public HttpClient {
 public:
  Client(Loop& loop, HttpClientOptions options) : loop_(loop), options_(std::move(options)) {}
  ~Client() override;

  Status open();
  Result<TransferId> start(const TransferRequest& request, TransferSink& sink) override;
  void cancel(TransferId id) override;
  [[nodiscard]] std::size_t in_flight() const override { return in_flight_; }
  [[nodiscard]] const HttpClientStats& stats() const override { return stats_; }

 private:
  Status make_slot(TransferId id);
  Status make_shard();
  Status configure(Slot& slot, const TransferRequest& request);
  void set_headers(Slot& slot, const std::vector<std::string>* headers);
  void launch(Slot& slot);
  void act(Shard& shard, curl_socket_t fd, int events);
  void collect(Shard& shard);
  void finish(Slot& slot, CURLcode code);
  TransferResult describe(Slot& slot, CURLcode code);

  static int on_socket(CURL*, curl_socket_t fd, int what, void* user, void* socket_data);
  static int on_timer(CURLM*, long timeout_ms, void* user);
  static void on_poll(uv_poll_t* poll, int status, int events);
  static size_t on_body(char* data, size_t, size_t size, void* user);
  static size_t on_header(char* data, size_t, size_t size, void* user);
  static int on_request_ready(void* user, char*, char*, int, int);
  static curl_socket_t open_socket(void* user, curlsocktype, curl_sockaddr* address);
  static int close_socket(void* user, curl_socket_t fd);

  Loop& loop_;
  HttpClientOptions options_;
  HttpClientStats stats_;
  ArrivalClock arrival_clock_;
  ArrivalStamp stamp_{};        // of the read that is being handed out
  bool stamp_fresh_ = false;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<TransferId> free_slots_;
  std::vector<SocketWatch*> watches_;  // by descriptor
  std::size_t in_flight_ = 0;
};

Client::~Client() {
  for (auto& slot : slots_) {
    if (slot->added) curl_multi_remove_handle(slot->shard->multi, slot->easy);
    curl_easy_cleanup(slot->easy);
    curl_slist_free_all(slot->headers);
  }
  for (auto& shard : shards_) {
    curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, nullptr);
    curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, nullptr);
    curl_multi_cleanup(shard->multi);
    uv_timer_stop(&shard->timer);
    shard->timer.data = shard.get();
    uv_close(reinterpret_cast<uv_handle_t*>(&shard.release()->timer),
             [](uv_handle_t* handle) { delete static_cast<Shard*>(handle->data); });
  }
}

Status Client::open() {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (global != CURLE_OK) return fail(ErrorCode::kInternal, "libcurl does not start");
  const std::size_t per_shard = std::max<std::size_t>(1, options_.connections_per_multi);
  const std::size_t shards = (options_.max_in_flight + per_shard - 1) / per_shard;
  for (std::size_t i = 0; i < std::max<std::size_t>(1, shards); ++i) {
    if (auto made = make_shard(); !made) return made;
  }
  for (std::size_t i = 0; i < options_.max_in_flight; ++i) {
    if (auto made = make_slot(static_cast<TransferId>(i)); !made) return made;
  }
  for (std::size_t i = options_.max_in_flight; i > 0; --i) free_slots_.push_back(static_cast<TransferId>(i - 1));
  return {};
}

Status Client::make_shard() {
  auto shard = std::make_unique<Shard>();
  shard->client = this;
  shard->multi = curl_multi_init();
  if (shard->multi == nullptr) return fail(ErrorCode::kInternal, "curl_multi_init failed");
  check(uv_timer_init(loop_.raw(), &shard->timer) == 0, "uv_timer_init");
  shard->timer.data = shard.get();
  // MAXCONNECTS counts connections in use too: below the shard's size every request would open a new one.
  const long connects = static_cast<long>(options_.connections_per_multi + 8);
  const bool ok = curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, &Client::on_socket) == CURLM_OK &&
                  curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard.get()) == CURLM_OK &&
                  curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, &Client::on_timer) == CURLM_OK &&
                  curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard.get()) == CURLM_OK &&
                  curl_multi_setopt(shard->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) == CURLM_OK &&
                  curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, connects) == CURLM_OK;
  if (!ok) return fail(ErrorCode::kInternal, "curl_multi_setopt failed");
  shards_.push_back(std::move(shard));
  return {};
}

Status Client::make_slot(TransferId id) {
  auto slot = std::make_unique<Slot>();
  slot->client = this;
  slot->id = id;
  slot->shard = shards_[id % shards_.size()].get();
  slot->easy = curl_easy_init();
  if (slot->easy == nullptr) return fail(ErrorCode::kInternal, "curl_easy_init failed");
  CURL* easy = slot->easy;
  bool ok = true;
  const auto set = [&](auto option, auto value) { ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK; };
  set(CURLOPT_PRIVATE, slot.get());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_BUFFERSIZE, kReadBufferBytes);
  set(CURLOPT_WRITEFUNCTION, &Client::on_body);
  set(CURLOPT_WRITEDATA, slot.get());
  set(CURLOPT_HEADERFUNCTION, &Client::on_header);
  set(CURLOPT_HEADERDATA, slot.get());
  set(CURLOPT_PREREQFUNCTION, &Client::on_request_ready);
  set(CURLOPT_PREREQDATA, slot.get());
  set(CURLOPT_OPENSOCKETFUNCTION, &Client::open_socket);
  set(CURLOPT_OPENSOCKETDATA, this);
  set(CURLOPT_CLOSESOCKETFUNCTION, &Client::close_socket);
  set(CURLOPT_CLOSESOCKETDATA, this);
  // A proxy from the environment must never stand between the benchmark and a server on this machine.
  set(CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
  if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());
  if (options_.insecure_tls) {
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  slots_.push_back(std::move(slot));
  if (!ok) return fail(ErrorCode::kInternal, "curl_easy_setopt refused an option");
  return {};
}

void Client::set_headers(Slot& slot, const std::vector<std::string>* headers) {
  // The list is rebuilt only when the caller's changes: between requests of a run it never does.
  static const std::vector<std::string> kNone;
  const auto& lines = headers != nullptr ? *headers : kNone;
  if (slot.headers != nullptr && slot.header_lines == lines) return;
  curl_slist_free_all(slot.headers);
  // Without this, curl waits a second for "100 Continue" before it sends a large body.
  slot.headers = curl_slist_append(nullptr, "Expect:");
  for (const auto& line : lines) slot.headers = curl_slist_append(slot.headers, line.c_str());
  slot.header_lines = lines;
}

Status Client::configure(Slot& slot, const TransferRequest& request) {
  bool ok = true;
  const auto set = [&](auto option, auto value) { ok = ok && curl_easy_setopt(slot.easy, option, value) == CURLE_OK; };
  const std::string url(request.url);
  set(CURLOPT_URL, url.c_str());
  if (request.method == "POST") {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDS, request.body.data() == nullptr ? "" : request.body.data());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  } else if (request.method == "GET") {
    set(CURLOPT_HTTPGET, 1L);
  } else {
    return fail(ErrorCode::kUnsupported, fmt::format("method {} is not supported", request.method));
  }
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(1, request.timeout / 1ms)));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(1, request.connect_timeout / 1ms)));
  set_headers(slot, request.headers);
  set(CURLOPT_HTTPHEADER, slot.headers);
  if (!ok) return fail(ErrorCode::kInvalid, fmt::format("curl refuses the request to {}", request.url));
  return {};
}

Result<TransferId> Client::start(const TransferRequest& request, TransferSink& sink) {
  if (free_slots_.empty()) {
    return fail(ErrorCode::kInternal, fmt::format("more than {} transfers in flight", options_.max_in_flight));
  }
  const TransferId id = free_slots_.back();
  Slot& slot = *slots_[id];
  if (auto configured = configure(slot, request); !configured) return configured.error();
  free_slots_.pop_back();
  slot.sink = &sink;
  slot.sent = TimePoint{};
  slot.http_status = 0;
  slot.busy = true;
  slot.cancelled = slot.connected = false;
  ++in_flight_;
  ++slot.shard->busy;
  ++stats_.transfers;
  if (slot.shard->in_action) {
    slot.shard->waiting.push_back(id);
  } else {
    launch(slot);
  }
  return id;
}

void Client::launch(Slot& slot) {
  check(curl_multi_add_handle(slot.shard->multi, slot.easy) == CURLM_OK, "curl_multi_add_handle");
  slot.added = true;
  // curl sends nothing before its next timeout action; due now, it is sent now.
  act(*slot.shard, CURL_SOCKET_TIMEOUT, 0);
}

void Client::act(Shard& shard, curl_socket_t fd, int events) {
  int running = 0;
  shard.in_action = true;
  curl_multi_socket_action(shard.multi, fd, events, &running);
  shard.in_action = false;
  stamp_fresh_ = false;
  collect(shard);
}

void Client::collect(Shard& shard) {
  // Sinks may start new transfers, whose actions end up here again: the outermost call does the work.
  if (shard.collecting) return;
  shard.collecting = true;
  for (;;) {
    int left = 0;
    const CURLMsg* message = curl_multi_info_read(shard.multi, &left);
    if (message != nullptr) {
      if (message->msg != CURLMSG_DONE) continue;
      char* user = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
      finish(*reinterpret_cast<Slot*>(user), message->data.result);
      continue;
    }
    if (shard.waiting.empty()) break;
    const TransferId id = shard.waiting.back();
    shard.waiting.pop_back();
    if (slots_[id]->cancelled) {
      finish(*slots_[id], CURLE_ABORTED_BY_CALLBACK);
    } else {
      launch(*slots_[id]);
    }
  }
  shard.collecting = false;
}

TransferResult Client::describe(Slot& slot, CURLcode code) {
  TransferResult result;
  result.curl_code = static_cast<int>(code);
  result.http_status = slot.http_status;
  result.timed_out = code == CURLE_OPERATION_TIMEDOUT;
  result.sent = slot.sent;
  result.done = loop_.now();
  long connects = 0;
  if (curl_easy_getinfo(slot.easy, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK && connects > 0) {
    result.new_connection = true;
    stats_.new_connections += static_cast<std::uint64_t>(connects);
  }
  if (code != CURLE_OK) {
    result.message = curl_easy_strerror(code);
    result.phase = code == CURLE_COULDNT_RESOLVE_HOST ? TransferPhase::kResolve
                   : code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION ? TransferPhase::kTls
                   : !slot.connected ? TransferPhase::kConnect
                   : slot.http_status == 0 ? TransferPhase::kHeaders : TransferPhase::kBody;
  }
  return result;
}

void Client::finish(Slot& slot, CURLcode code) {
  const TransferResult result = describe(slot, code);
  if (slot.added) {
    curl_multi_remove_handle(slot.shard->multi, slot.easy);
    slot.added = false;
  }
  slot.busy = false;
  --in_flight_;
  --slot.shard->busy;
  free_slots_.push_back(slot.id);
  TransferSink* sink = slot.sink;
  slot.sink = nullptr;
  sink->on_done(result);
}

void Client::cancel(TransferId id) {
  Slot& slot = *slots_[id];
  if (!slot.busy || slot.cancelled) return;
  slot.cancelled = true;
  // Inside a curl callback the handle cannot be removed: the callback's return value stops it instead.
  if (slot.shard->in_action) return;
  auto& waiting = slot.shard->waiting;
  waiting.erase(std::remove(waiting.begin(), waiting.end(), id), waiting.end());
  finish(slot, CURLE_ABORTED_BY_CALLBACK);
}

int Client::on_socket(CURL*, curl_socket_t fd, int what, void* user, void* socket_data) {
  auto* shard = static_cast<Shard*>(user);
  auto& watches = shard->client->watches_;
  const auto index = static_cast<std::size_t>(fd);
  if (what == CURL_POLL_REMOVE) {
    if (index < watches.size() && watches[index] != nullptr) uv_poll_stop(&watches[index]->poll);
    return 0;
  }
  (void)socket_data;
  if (index >= watches.size()) watches.resize(index + 1, nullptr);
  if (watches[index] == nullptr) {
    auto watch = std::make_unique<SocketWatch>();
    watch->fd = fd;
    if (uv_poll_init_socket(shard->client->loop_.raw(), &watch->poll, fd) != 0) return -1;
    watch->poll.data = watch.get();
    watches[index] = watch.release();
  }
  watches[index]->shard = shard;
  const int events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) | ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
  return uv_poll_start(&watches[index]->poll, events, &Client::on_poll) == 0 ? 0 : -1;
}

void Client::on_poll(uv_poll_t* poll, int status, int events) {
  auto* watch = static_cast<SocketWatch*>(poll->data);
  Client& client = *watch->shard->client;
  if (status == 0 && (events & UV_READABLE) != 0) {
    client.stamp_ = client.options_.kernel_stamps ? client.arrival_clock_.peek(watch->fd, client.loop_.now())
                                                  : ArrivalStamp{client.loop_.now(), false, false};
    client.stamp_fresh_ = true;
  }
  const int action = status != 0 ? CURL_CSELECT_ERR
                                 : ((events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
                                       ((events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0);
  client.act(*watch->shard, watch->fd, action);
}

int Client::on_timer(CURLM*, long timeout_ms, void* user) {
  auto* shard = static_cast<Shard*>(user);
  if (timeout_ms < 0) {
    uv_timer_stop(&shard->timer);
    return 0;
  }
  const auto fire = [](uv_timer_t* timer) {
    auto* due = static_cast<Shard*>(timer->data);
    due->client->act(*due, CURL_SOCKET_TIMEOUT, 0);
  };
  // uv_timer counts from the loop's cached time, which is stale inside a long callback.
  uv_update_time(shard->client->loop_.raw());
  return uv_timer_start(&shard->timer, fire, static_cast<std::uint64_t>(timeout_ms), 0) == 0 ? 0 : -1;
}

size_t Client::on_body(char* data, size_t, size_t size, void* user) {
  auto* slot = static_cast<Slot*>(user);
  if (slot->cancelled) return 0;
  Client& client = *slot->client;
  ++client.stats_.reads;
  ArrivalStamp stamp = client.stamp_;
  // Bytes that curl read during a timeout action came without a poll event: no stamp belongs to them.
  if (!client.stamp_fresh_) stamp = ArrivalStamp{client.loop_.now(), false, false};
  if (stamp.exact) ++client.stats_.exact_reads;
  if (!stamp.from_kernel) ++client.stats_.stamp_fallbacks;
  slot->sink->on_body(std::string_view(data, size), stamp);
  return slot->cancelled ? 0 : size;
}

size_t Client::on_header(char* data, size_t, size_t size, void* user) {
  auto* slot = static_cast<Slot*>(user);
  if (slot->cancelled) return 0;
  const std::string_view line = trim(std::string_view(data, size));
  if (line.substr(0, 5) == "HTTP/") {
    const auto space = line.find(' ');
    const auto status = space == std::string_view::npos ? std::nullopt : parse_integer(line.substr(space + 1, 3));
    slot->http_status = static_cast<int>(status.value_or(0));
    return size;
  }
  const auto colon = line.find(':');
  if (colon != std::string_view::npos) slot->sink->on_header(line.substr(0, colon), trim(line.substr(colon + 1)));
  return slot->cancelled ? 0 : size;
}

int Client::on_request_ready(void* user, char*, char*, int, int) {
  auto* slot = static_cast<Slot*>(user);
  slot->connected = true;
  slot->sent = slot->client->loop_.now();
  slot->sink->on_sent(slot->sent);
  return CURL_PREREQFUNC_OK;
}

curl_socket_t Client::open_socket(void* user, curlsocktype, curl_sockaddr* address) {
  const auto* client = static_cast<const Client*>(user);
  const curl_socket_t fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  if (client->options_.kernel_stamps) ArrivalClock::enable(fd);
  return fd;
}

int Client::close_socket(void* user, curl_socket_t fd) {
  auto* client = static_cast<Client*>(user);
  const auto index = static_cast<std::size_t>(fd);
  if (index < client->watches_.size() && client->watches_[index] != nullptr) {
    SocketWatch* watch = client->watches_[index];
    client->watches_[index] = nullptr;
    uv_poll_stop(&watch->poll);
    uv_close(reinterpret_cast<uv_handle_t*>(&watch->poll), &delete_watch);
  }
  return close(fd);
}

}  // namespace

Result<std::unique_ptr<HttpClient>> HttpClient::create(Loop& loop, const HttpClientOptions& options) {
  auto client = std::make_unique<Client>(loop, options);
  if (auto opened = client->open(); !opened) return opened.error();
  return std::unique_ptr<HttpClient>(std::move(client));
}

}  // namespace core::net
