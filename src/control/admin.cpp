#include "control/admin.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstring>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "control/admin_gate.h"
#include "control/live_feed.h"
#include "control/live_page.h"
#include "observe/exposition.h"
#include "ws/http_date.h"
#include "ws/request_target.h"

namespace ringcast::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

// Boost's string_view and the standard's, which Boost 1.74 does not convert.
std::string_view standard(beast::string_view text) {
  return {text.data(), text.size()};
}
beast::string_view boosted(std::string_view text) {
  return {text.data(), text.size()};
}

bool is_http_error(error_code error) {
  return error.category() == make_error_code(http::error::bad_value).category();
}

constexpr std::string_view plain = "text/plain; charset=utf-8";
constexpr std::string_view json = "application/json";

AdminAnswer readiness_answer(Readiness readiness) {
  switch (readiness) {
    case Readiness::starting:
      return {503, plain, "starting\n"};
    case Readiness::serving:
      return {200, plain, "ready\n"};
    case Readiness::draining:
      return {503, plain, "draining\n"};
  }
  return {503, plain, ""};
}

std::string metrics_text(const AdminView& view) {
  std::vector<observe::NamedCore> cores;
  for (const CoreHandle& core : view.cores) {
    cores.push_back({fmt::format("{}", cores.size()), core.metrics});
  }
  std::vector<observe::NamedRoom> rooms;
  rooms.reserve(view.rooms.size());
  for (const RunningRoom& room : view.rooms) rooms.push_back({room.options->name, room.metrics});
  std::string text = observe::exposition(cores, rooms);
  if (view.metrics != nullptr) text += observe::exposition(*view.metrics);
  return text;
}

std::string text_of(const PageFile& file) {
  std::string text(file.bytes.size(), '\0');
  std::memcpy(text.data(), file.bytes.data(), text.size());
  return text;
}

std::string quantiles_json(const observe::Histogram& histogram) {
  const auto microseconds = [&histogram](double q) {
    return static_cast<double>(histogram.quantile(q)) / 1e3;
  };
  return fmt::format(R"({{"p50":{},"p95":{},"p99":{}}})", microseconds(0.5), microseconds(0.95),
                     microseconds(0.99));
}

std::string rooms_json(std::span<const RunningRoom> rooms) {
  std::string out = R"({"rooms":[)";
  for (const RunningRoom& room : rooms) {
    if (&room != &rooms.front()) out += ',';
    out += room_json(room);
  }
  return out += "]}\n";
}

constexpr std::string_view rooms_path = "/rooms";
constexpr std::string_view revoke_path = "/revoke";
constexpr std::string_view live_path = "/live/events";

/// NAME of "/rooms/NAME"; nothing for another path.
std::optional<std::string_view> room_of(std::string_view path) {
  if (!path.starts_with(rooms_path)) return std::nullopt;
  path.remove_prefix(rooms_path.size());
  if (path.size() < 2 || path.front() != '/') return std::nullopt;
  return path.substr(1);
}

/// As the address of clients reads it, so that a room has one name; empty of what is no target.
std::string path_of(std::string_view target) {
  auto parsed = ws::parse_target(target);
  return parsed ? std::move(parsed->path) : std::string();
}

/// Methods of a path that there is.
std::string_view allowed_at(std::string_view path) {
  if (path == live_path) return "GET";
  if (path == rooms_path) return "GET, HEAD, POST";
  if (path == revoke_path) return "POST";
  if (room_of(path)) return "GET, HEAD, DELETE";
  return "GET, HEAD";
}

AdminAnswer room_answer(std::string_view name, const AdminView& view) {
  for (const RunningRoom& room : view.rooms) {
    if (room.options->name == name) return {200, json, room_json(room) + '\n'};
  }
  return plain_text_answer(404, "There is no room of that name.");
}

}  // namespace

AdminAnswer plain_text_answer(std::uint16_t status, std::string_view text) {
  return {status, plain, std::string(text) + '\n'};
}

// Names of rooms and simulations are plain words: nothing in them needs escaping.
std::string room_json(const RunningRoom& room) {
  const observe::RoomMetrics& metrics = *room.metrics;
  return fmt::format(
      R"({{"name":"{}","simulation":"{}","rate_hz":{},"members":{},"tick":{},"core":{},)"
      R"("spread":{},"snapshot_bytes":{},"tick_duration_us":{},"tick_handed_over_us":{}}})",
      room.options->name, room.options->simulation, room.options->rate_hz, metrics.members.value(),
      metrics.tick.value(), room.core, room.options->spread, metrics.snapshot_bytes.value(),
      quantiles_json(metrics.tick_duration), quantiles_json(metrics.tick_handed_over));
}

std::optional<AdminAnswer> refusal(std::string_view method, std::string_view target,
                                   std::string_view authorization, const AdminView& view) {
  const std::string path = path_of(target);
  if (!view.token || path == "/healthz" || path == "/readyz") return std::nullopt;
  const bool looks = method == "GET" || method == "HEAD";
  if (view.token->is_bearer(authorization)) return std::nullopt;
  if (looks && view.token->is_basic(authorization)) return std::nullopt;
  AdminAnswer refused = plain_text_answer(
      401, looks ? "The admin token is asked for, as Authorization: Bearer or as a password."
                 : "The admin token is asked for, as Authorization: Bearer.");
  refused.asks_for_token = true;
  return refused;
}

AdminAnswer answer(std::string_view method, std::string_view target, const AdminView& view) {
  const std::string path = path_of(target);
  if ((method != "GET" && method != "HEAD") || path == revoke_path || path == live_path) {
    const std::string_view allowed = allowed_at(path);
    AdminAnswer refused = plain_text_answer(405, fmt::format("Only {}.", allowed));
    refused.allow = allowed;
    return refused;
  }
  if ((path == "/healthz" || path == "/readyz") && !view.stuck.empty()) {
    std::string text = view.stuck.front().text(view.rooms);
    text.front() = 'C';
    return plain_text_answer(503, text + '.');
  }
  if (path == "/healthz") return plain_text_answer(200, "ok");
  if (path == "/readyz") return readiness_answer(view.readiness);
  if (path == "/metrics") return {200, observe::exposition_content_type, metrics_text(view)};
  if (path == rooms_path) return {200, json, rooms_json(view.rooms)};
  for (const PageFile& file : live_page_files()) {
    if (file.path == path) return {200, file.content_type, text_of(file)};
  }
  if (const auto name = room_of(path)) return room_answer(*name, view);
  return plain_text_answer(404, "Nothing is here; try /, /healthz, /readyz, /metrics or /rooms.");
}

namespace {

class Connection;

/// All connections of an endpoint, and what they may hold together. Outlives the endpoint with the
/// last of them.
class Crowd {
 public:
  /// Before another joins. False when nobody can give way: all are being decided upon.
  [[nodiscard]] bool make_place();
  void add(const std::shared_ptr<Connection>& connection) { connections_.push_back(connection); }
  /// Before `bytes` more wait to be read.
  void make_memory(std::size_t bytes);

  std::uint32_t connections = 0;
  std::size_t answer_bytes = 0;  ///< that wait to be read

 private:
  std::deque<std::weak_ptr<Connection>> connections_;  ///< in the order in which they came
};

/// One request and its answer; kept alive by its pending operation.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  enum class Stage : std::uint8_t {
    silent,   ///< its request has not come yet
    decided,  ///< or is being so: others work on the answer
    answered  ///< it has not read the answer yet
  };

  Connection(tcp::socket&& socket, const AdminView& view, observe::ControlMetrics& metrics,
             RoomChanges& changes, TokenRevoker& revoker, const observe::Log& log, LiveFeed& feed,
             AdminGate& gate, const Clock& clock, std::shared_ptr<Crowd> crowd)
      : stream_(std::move(socket)),
        view_(view),
        metrics_(metrics),
        changes_(changes),
        revoker_(revoker),
        log_(log),
        clock_(clock),
        feed_(feed),
        gate_(gate),
        crowd_(std::move(crowd)) {
    ++crowd_->connections;
    parser_.header_limit(AdminEndpoint::header_bytes_max);
    parser_.body_limit(AdminEndpoint::body_bytes_max);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { leave(); }

  void read() {
    stream_.expires_after(AdminEndpoint::request_timeout);
    http::async_read(
        stream_, buffer_, parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->read_done(error); });
  }
  [[nodiscard]] Stage stage() const { return stage_; }
  [[nodiscard]] bool has_left() const { return has_left_; }
  void give_up() {
    leave();
    stream_.close();
  }

 private:
  /// Its place and its memory are others'.
  void leave() {
    if (std::exchange(has_left_, true)) return;
    --crowd_->connections;
    crowd_->answer_bytes -= answer_bytes_;
  }

  void read_done(error_code error) {
    stage_ = Stage::decided;
    if (!error) {
      act();
    } else if (error == http::error::body_limit) {
      write(plain_text_answer(413, "The request's body is larger than 8192 bytes."));
    } else if (is_http_error(error) && error != http::error::end_of_stream) {
      write(plain_text_answer(400, "This is not HTTP, or too much of it."));
    }
  }

  void act() {
    metrics_.log_lines_lost.set(log_.lines_lost());
    const auto& request = parser_.get();
    const std::string path = path_of(standard(request.target()));
    const AdminAsked asked = what_is_asked();
    if (auto refused = gate_.refusal(asked, view_, clock_.now())) {
      metrics_.admin_requests_refused.add();
      say_refused(asked, *refused);
      return write(std::move(*refused));
    }
    const auto answered = [self = shared_from_this()](AdminAnswer changed) {
      self->write(std::move(changed));
    };
    const auto room = room_of(path);
    if (request.method() == http::verb::post && path == rooms_path) {
      changes_.open(request.body(), answered);
    } else if (request.method() == http::verb::post && path == revoke_path) {
      revoker_.revoke(request.body(), answered);
    } else if (request.method() == http::verb::delete_ && room) {
      changes_.close(*room, answered);
    } else if (request.method() == http::verb::get && path == live_path) {
      if (!feed_.make_place())
        return write(plain_text_answer(503, "As many as may are looking already."));
      feed_.add(std::move(stream_));
    } else {
      write(answer(standard(request.method_string()), standard(request.target()), view_));
    }
  }

  [[nodiscard]] AdminAsked what_is_asked() const {
    const auto& request = parser_.get();
    const auto ip_address = [](const tcp::endpoint& endpoint) {
      return IpAddress::parse(endpoint.address().to_string());
    };
    error_code gone_already;
    return {.method = standard(request.method_string()),
            .target = standard(request.target()),
            .version = request.version(),
            .host_headers = request.count(http::field::host),
            .host = standard(request[http::field::host]),
            .origin_headers = request.count(http::field::origin),
            .origin = standard(request[http::field::origin]),
            .fetch_site = standard(request["Sec-Fetch-Site"]),
            .fetch_dest = standard(request["Sec-Fetch-Dest"]),
            .authorization = standard(request[http::field::authorization]),
            .content_type = standard(request[http::field::content_type]),
            .has_body = !request.body().empty(),
            .from = ip_address(stream_.socket().remote_endpoint(gone_already)),
            .here = ip_address(stream_.socket().local_endpoint(gone_already))};
  }

  void say_refused(const AdminAsked& asked, const AdminAnswer& refused) const {
    const std::string from = asked.from ? asked.from->text() : std::string("?");
    const std::string path = path_of(asked.target);
    switch (refused.status) {
      case 401:
        return log_.write(observe::LogLevel::warning, "admin request without the token refused",
                          {{"from", from}, {"path", path}});
      case 429:
        return log_.write(observe::LogLevel::warning,
                          "admin request refused: too many wrong tokens",
                          {{"from", from}, {"path", path}});
      case 403:
        return log_.write(
            observe::LogLevel::warning,
            "admin request refused: its Host or Origin is not the admin address's",
            {{"from", from}, {"path", path}, {"host", asked.host}, {"origin", asked.origin}});
      default:
        return;
    }
  }

  void write(AdminAnswer&& answered) {
    if (has_left_) return;
    response_.version(11);
    response_.result(answered.status);
    response_.set(http::field::date, ws::http_date(clock_.unix_now()));
    response_.set(http::field::content_type, boosted(answered.content_type));
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    response_.set("Content-Security-Policy",
                  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                  "img-src 'self' data:; base-uri 'none'; form-action 'none'; "
                  "frame-ancestors 'none'");
    if (!answered.allow.empty()) response_.set(http::field::allow, answered.allow);
    if (answered.asks_for_token) {
      response_.insert(http::field::www_authenticate, R"(Bearer realm="ringcast")");
      response_.insert(http::field::www_authenticate, R"(Basic realm="ringcast", charset="UTF-8")");
    }
    if (!answered.location.empty()) response_.set(http::field::location, answered.location);
    if (answered.retry_after_s != 0) {
      response_.set(http::field::retry_after, std::to_string(answered.retry_after_s));
    }
    response_.keep_alive(false);
    response_.content_length(answered.body.size());
    if (parser_.get().method() != http::verb::head) response_.body() = std::move(answered.body);
    crowd_->make_memory(response_.body().size());
    answer_bytes_ = response_.body().size();
    crowd_->answer_bytes += answer_bytes_;
    stage_ = Stage::answered;
    stream_.expires_after(AdminEndpoint::request_timeout);
    http::async_write(stream_, response_, [self = shared_from_this()](error_code, std::size_t) {
      error_code gone_already;
      self->stream_.socket().shutdown(tcp::socket::shutdown_send, gone_already);
    });
  }

  beast::tcp_stream stream_;
  const AdminView& view_;
  observe::ControlMetrics& metrics_;
  RoomChanges& changes_;
  TokenRevoker& revoker_;
  const observe::Log& log_;
  const Clock& clock_;
  LiveFeed& feed_;
  AdminGate& gate_;
  std::shared_ptr<Crowd> crowd_;
  Stage stage_ = Stage::silent;
  bool has_left_ = false;
  std::size_t answer_bytes_ = 0;
  beast::flat_buffer buffer_{std::size_t{2} * AdminEndpoint::header_bytes_max};
  http::request_parser<http::string_body> parser_;
  http::response<http::string_body> response_;
};

// Whoever connects and says nothing, or asks and does not read, must not shut out the one who asks
// whether all is well.
bool Crowd::make_place() {
  std::erase_if(connections_, [](const std::weak_ptr<Connection>& connection) {
    const auto it = connection.lock();
    return !it || it->has_left();
  });
  if (connections < AdminEndpoint::connections_max) return true;
  for (const auto stage : {Connection::Stage::silent, Connection::Stage::answered}) {
    const auto found = std::ranges::find_if(connections_, [stage](const auto& connection) {
      return connection.lock()->stage() == stage;
    });
    if (found == connections_.end()) continue;
    const auto longest = found->lock();
    connections_.erase(found);
    longest->give_up();
    return true;
  }
  return false;
}

void Crowd::make_memory(std::size_t bytes) {
  for (const auto& connection : connections_) {
    if (answer_bytes == 0 || answer_bytes + bytes <= AdminEndpoint::answer_bytes_max) return;
    const auto it = connection.lock();
    if (it && !it->has_left() && it->stage() == Connection::Stage::answered) it->give_up();
  }
}

}  // namespace

struct AdminEndpoint::Impl {
  Impl(asio::io_context& context, io::Socket listener, const AdminView& its_view,
       observe::ControlMetrics& its_metrics, RoomChanges& its_changes, TokenRevoker& its_revoker,
       const observe::Log& its_log, const Clock& its_clock)
      : acceptor(context),
        pause(context),
        view(its_view),
        metrics(its_metrics),
        changes(its_changes),
        revoker(its_revoker),
        log(its_log),
        clock(its_clock),
        feed(context, its_view, its_clock) {
    // The protocol is only asked for when a socket is opened, not when one is taken over.
    acceptor.assign(tcp::v4(), listener.descriptor);
    accept();
  }

  void accept() {
    acceptor.async_accept([this](error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) return accept_later();
      if (crowd->make_place()) {
        const auto connection = std::make_shared<Connection>(
            std::move(socket), view, metrics, changes, revoker, log, feed, gate, clock, crowd);
        connection->read();
        crowd->add(connection);
      }
      accept();
    });
  }

  // Mostly out of descriptors: the cores may have taken them all. Trying at once would spin.
  void accept_later() {
    pause.expires_after(std::chrono::milliseconds(100));
    pause.async_wait([this](error_code error) {
      if (!error) accept();
    });
  }

  // Shared, since the last connections may end with the io_context, after the endpoint.
  std::shared_ptr<Crowd> crowd = std::make_shared<Crowd>();
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  const AdminView& view;
  observe::ControlMetrics& metrics;
  RoomChanges& changes;
  TokenRevoker& revoker;
  const observe::Log& log;
  const Clock& clock;
  AdminGate gate;
  LiveFeed feed;
};

AdminEndpoint::AdminEndpoint(asio::io_context& context, io::Socket listener, const AdminView& view,
                             observe::ControlMetrics& metrics, RoomChanges& changes,
                             TokenRevoker& revoker, const observe::Log& log, const Clock& clock)
    : impl_(
          std::make_unique<Impl>(context, listener, view, metrics, changes, revoker, log, clock)) {}

AdminEndpoint::~AdminEndpoint() = default;

void AdminEndpoint::token_changed() {
  impl_->feed.end();
}

}  // namespace ringcast::server
