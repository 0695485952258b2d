#include "load/scripted_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/base64url.h"
#include "base/clock.h"
#include "catch.h"
#include "ws/frame_decoder.h"
#include "ws/upgrade.h"

namespace ringcast::load {
namespace {

constexpr int tick_milliseconds = 10;
/// When the faults that happen once happen: long after all have joined.
constexpr std::uint64_t fault_tick = 100;

}  // namespace

struct ScriptedServer::Session final : ws::DecoderEvents {
  Session(ScriptedServer& owner, int descriptor, int index)
      : server(&owner), socket(descriptor), number(index) {}

  bool on_message(ws::Opcode, std::span<const std::byte> payload) override {
    const auto message = wire::decode_client(payload);
    if (!message) return true;
    if (std::holds_alternative<wire::Input>(message->body)) ++server->inputs_;
    server->acknowledged_ =
        std::max<std::uint64_t>(server->acknowledged_, message->newest_tick_seen);
    if (const auto* ping = std::get_if<wire::Ping>(&message->body)) {
      const auto now = static_cast<std::uint64_t>(SystemClock().unix_now());
      server->send(*this, server->bytes_.pong({ping->sent_ns, now}));
    }
    return true;
  }
  bool on_ping(std::span<const std::byte>) override { return true; }
  bool on_pong(std::span<const std::byte>) override { return true; }
  void on_close(ws::CloseCode, std::string_view) override { gone = true; }
  void on_violation(ws::CloseCode, std::string_view) override { gone = true; }

  ScriptedServer* server;
  int socket;
  int number;
  std::string head;
  bool upgraded = false;
  bool gone = false;
  std::uint64_t events = 0;
  std::unique_ptr<ws::DecoderState> state = std::make_unique<ws::DecoderState>();
  std::unique_ptr<ws::FrameDecoder> decoder = std::make_unique<ws::FrameDecoder>(
      ws::Role::server, ws::FrameDecoder::Limits{.message_bytes_max = 1'000});
};

ScriptedServer::ScriptedServer(Script script)
    : script_(std::move(script)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(::bind(listener_, generic, size) == 0);
  REQUIRE(::listen(listener_, 64) == 0);
  REQUIRE(::getsockname(listener_, generic, &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

ScriptedServer::~ScriptedServer() {
  stop_ = true;
  thread_.join();
  for (const auto& session : sessions_) ::close(session->socket);
  ::close(listener_);
}

std::string ScriptedServer::url() const {
  return "ws://127.0.0.1:" + std::to_string(port_) + "/rooms/scripted";
}

void ScriptedServer::serve() {
  const SystemClock clock;
  Instant due = clock.now();
  while (!stop_) {
    std::vector<pollfd> polled{{.fd = listener_, .events = POLLIN, .revents = 0}};
    for (const auto& session : sessions_) {
      polled.push_back({.fd = session->socket, .events = POLLIN, .revents = 0});
    }
    ::poll(polled.data(), polled.size(), tick_milliseconds);
    for (std::size_t index = 1; index < polled.size(); ++index) {
      if (polled[index].revents != 0) receive(*sessions_[index - 1]);
    }
    if (polled[0].revents != 0) accept();
    std::erase_if(sessions_, [](const auto& session) {
      if (session->gone) ::close(session->socket);
      return session->gone;
    });
    if (clock.now() < due) continue;
    due += std::chrono::milliseconds(tick_milliseconds);
    tick();
  }
}

void ScriptedServer::accept() {
  const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (socket >= 0) sessions_.push_back(std::make_unique<Session>(*this, socket, accepted_++));
}

void ScriptedServer::receive(Session& session) {
  std::array<std::byte, 2'048> buffer;
  const auto received = ::recv(session.socket, buffer.data(), buffer.size(), 0);
  if (received <= 0) {
    session.gone = true;
    return;
  }
  const auto bytes = std::span(buffer).first(static_cast<std::size_t>(received));
  if (session.upgraded) return session.decoder->decode(*session.state, bytes, session);
  session.head.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!session.head.ends_with("\r\n\r\n")) return;
  const auto offer = session.head.find(ws::resume_offer);
  const bool comes_back = offer != std::string::npos;
  const std::string answer = answer_to(session.head, comes_back && script_.refuses_who_comes_back
                                                         ? "HTTP/1.1 503 Service Unavailable"
                                                         : script_.status_line);
  // A token is a member's number: one byte, which is two digits.
  if (comes_back) {
    const auto said = from_base64url(session.head.substr(offer + ws::resume_offer.size(), 2));
    session.number = std::to_integer<int>(said.value().at(0));
  }
  const auto view = std::as_bytes(std::span(answer));
  send(session, {view.begin(), view.end()});
  session.upgraded = true;
  const std::array token{static_cast<std::byte>(session.number)};
  send(session, bytes_.welcome({.room = "scripted",
                                .member_id = static_cast<std::uint32_t>(session.number + 1),
                                .rate_hz = 100,
                                .tick = tick_,
                                .server_time = SystemClock().unix_now(),
                                .acknowledge_every_ticks = 5,
                                .server_version = "scripted",
                                .event_sequence = 0,
                                .resume_token = token,
                                .resumed = comes_back}));
}

void ScriptedServer::restart() {
  restarted_ = true;
  for (const auto& session : sessions_) {
    send(*session, bytes_.going_away(20));
    send(*session, bytes_.close(ws::CloseCode::service_restart));
    session->gone = true;
  }
}

void ScriptedServer::tick() {
  ++tick_;
  if (script_.restarts && !restarted_ && tick_ >= fault_tick) restart();
  const UnixNanoseconds now = SystemClock().unix_now();
  for (const auto& owned : sessions_) {
    Session& session = *owned;
    if (!session.upgraded) continue;
    if (session.number != script_.gets_every_second_tick || tick_ % 2 == 0) {
      send(session, bytes_.snapshot(tick_, now));
    }
    if (session.number == script_.misses_an_event && tick_ == fault_tick) ++session.events;
    send(session, bytes_.event(++session.events));
    if (tick_ < fault_tick) continue;
    if (session.number == script_.is_closed_with_1013) {
      send(session, bytes_.close(ws::CloseCode::try_again_later));
      session.gone = true;
    }
    if (session.number == script_.is_hung_up_on) session.gone = true;
  }
}

void ScriptedServer::send(Session& session, const Bytes& bytes) {
  // Blocks while the socket is full: the slow client of the test reads more than it is sent.
  const auto sent = ::send(session.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(bytes.size())) session.gone = true;
}

}  // namespace ringcast::load
