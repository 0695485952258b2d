// The epoll floor: one epoll set, one send(2) a member and tick.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <span>

#include "transport.h"

namespace ringcast::floor {
namespace {

class EpollTransport final : public Transport {
 public:
  EpollTransport(int listener, Sessions& sessions)
      : listener_(listener), sessions_(sessions), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) give_up("epoll_create1", errno);
    watch(listener_);
  }
  ~EpollTransport() override { ::close(epoll_); }

  void serve(Instant deadline, std::string_view welcome) override {
    const auto at = deadline.time_since_epoch();
    const timespec until{.tv_sec = at.count() / 1'000'000'000,
                         .tv_nsec = at.count() % 1'000'000'000};
    if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) return;  // a signal
    std::array<epoll_event, 256> events;
    std::size_t ready = events.size();
    while (ready == events.size()) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
      ready = count < 0 ? 0 : static_cast<std::size_t>(count);
      for (const epoll_event& event : std::span(events).first(ready)) {
        if (event.data.fd == listener_) {
          accept_all();
        } else {
          receive(event.data.fd, welcome);
        }
      }
    }
  }

  void broadcast(std::string_view frame) override {
    for (const int descriptor : sessions_.members()) {
      if (!sessions_.settle(descriptor)) {
        ++sessions_.counts.frames_skipped;
        continue;
      }
      const auto sent = ::send(descriptor, frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0) {  // full; a broken socket is noticed by the next receive
        ++sessions_.counts.frames_skipped;
        continue;
      }
      ++sessions_.counts.frames_sent;
      if (static_cast<std::size_t>(sent) < frame.size()) {
        sessions_[descriptor].owed = frame.substr(static_cast<std::size_t>(sent));
      }
    }
  }

 private:
  void watch(int descriptor) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) give_up("epoll_ctl", errno);
  }

  void accept_all() {
    for (;;) {
      const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor < 0) return;
      sessions_.open(descriptor);
      watch(descriptor);
    }
  }

  void receive(int descriptor, std::string_view welcome) {
    std::array<char, 2'048> bytes;
    const auto received = ::read(descriptor, bytes.data(), bytes.size());
    if (received < 0 && errno == EAGAIN) return;
    if (received > 0 &&
        sessions_.take(descriptor, {bytes.data(), static_cast<std::size_t>(received)}, welcome)) {
      return;
    }
    sessions_.close(descriptor);
    ::close(descriptor);
  }

  int listener_;
  Sessions& sessions_;
  int epoll_;
};

}  // namespace

std::unique_ptr<Transport> make_epoll_transport(int listener, Sessions& sessions) {
  return std::make_unique<EpollTransport>(listener, sessions);
}

}  // namespace ringcast::floor
