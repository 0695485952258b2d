// The live view's stream of reports: server-sent events (WHATWG HTML section 9.2) on the admin
// address, one a second to whoever listens. While nobody does, nothing is looked at.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "control/live_report.h"

namespace ringcast::server {

class LiveFeed {
 public:
  static constexpr std::size_t listeners_max = 16;
  static constexpr auto interval = std::chrono::seconds(1);
  static constexpr auto write_timeout = std::chrono::seconds(10);
  /// What the kernel may hold for one that does not read: some reports.
  static constexpr int send_buffer_bytes = 65'536;

  /// All of them outlive it.
  LiveFeed(boost::asio::io_context& context, const AdminView& view, const Clock& clock);

  /// Before another is added: one that has not taken its last report makes place for it. False when
  /// all listen.
  [[nodiscard]] bool make_place();
  /// Takes over a connection whose request has been read: the answer's head leaves now, a report
  /// each second, until it goes or stops reading.
  void add(boost::beast::tcp_stream&& stream);
  /// Hangs up on all listeners.
  void end();

 private:
  struct Listener;

  void wait();
  void tell();
  void write(const std::shared_ptr<Listener>& listener, std::shared_ptr<const std::string> text);

  const Clock& clock_;
  LiveReport report_;
  boost::asio::steady_timer timer_;
  std::vector<std::shared_ptr<Listener>> listeners_;
};

}  // namespace ringcast::server
