#include "control/live_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <utility>

#include "ws/http_date.h"

namespace ringcast::server {
namespace {

constexpr std::string_view status_line = "HTTP/1.1 200 OK\r\n";
constexpr std::string_view other_fields =
    "Content-Type: text/event-stream\r\n"
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Connection: close\r\n"
    "\r\n"
    "retry: 2000\n\n";

}  // namespace

struct LiveFeed::Listener {
  explicit Listener(boost::beast::tcp_stream&& its_stream) : stream(std::move(its_stream)) {}

  boost::beast::tcp_stream stream;
  bool writing = false;
  int missed = 0;  ///< reports, since it took one
  bool gone = false;
};

LiveFeed::LiveFeed(boost::asio::io_context& context, const AdminView& view, const Clock& clock)
    : clock_(clock), report_(view, clock), timer_(context) {}

bool LiveFeed::make_place() {
  std::erase_if(listeners_, [](const auto& listener) { return listener->gone; });
  if (listeners_.size() < listeners_max) return true;
  const auto stuck =
      std::ranges::find_if(listeners_, [](const auto& listener) { return listener->missed > 0; });
  if (stuck == listeners_.end()) return false;
  (*stuck)->stream.close();
  listeners_.erase(stuck);
  return true;
}

void LiveFeed::add(boost::beast::tcp_stream&& stream) {
  const bool first = listeners_.empty();
  boost::system::error_code larger_then;
  stream.socket().set_option(boost::asio::socket_base::send_buffer_size(send_buffer_bytes),
                             larger_then);
  listeners_.push_back(std::make_shared<Listener>(std::move(stream)));
  write(listeners_.back(),
        std::make_shared<const std::string>(fmt::format(
            "{}Date: {}\r\n{}", status_line, ws::http_date(clock_.unix_now()), other_fields)));
  if (!first) return;
  report_.begin();
  timer_.expires_after(interval);
  wait();
}

// The timer finds nobody, or the next one to be added sets it anew.
void LiveFeed::end() {
  for (const auto& listener : listeners_) listener->stream.close();
  listeners_.clear();
}

void LiveFeed::wait() {
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) tell();
  });
}

void LiveFeed::tell() {
  std::erase_if(listeners_, [](const auto& listener) { return listener->gone; });
  if (listeners_.empty()) return;
  const auto text = std::make_shared<const std::string>("data: " + report_.next() + "\n\n");
  // One who has not taken the last report yet does without this one.
  for (const auto& listener : listeners_) {
    if (listener->writing) {
      ++listener->missed;
    } else {
      write(listener, text);
    }
  }
  // From now on, not from when this one was due: one that came late is not followed at once by
  // another, whose rates would be those of a moment.
  timer_.expires_after(interval);
  wait();
}

void LiveFeed::write(const std::shared_ptr<Listener>& listener,
                     std::shared_ptr<const std::string> text) {
  listener->writing = true;
  listener->stream.expires_after(write_timeout);
  const auto buffer = boost::asio::buffer(*text);
  boost::asio::async_write(
      listener->stream, buffer,
      [listener, text = std::move(text)](boost::system::error_code error, std::size_t) {
        listener->writing = false;
        listener->missed = 0;
        listener->gone = static_cast<bool>(error);
        listener->stream.expires_never();
      });
}

}  // namespace ringcast::server
