// A client as an AckWindow sees it, in simulated time: snapshots take a path with jitter, are read
// one after another as fast as the client can, and are acknowledged as the protocol asks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/prng.h"
#include "load/acknowledgement.h"
#include "room/ack_window.h"

namespace ringcast::room {

/// All times in microseconds.
struct Path {
  std::uint64_t round_trip = 0;
  std::uint64_t jitter = 0;  ///< of the round trip: each way takes up to half of it more
  std::uint64_t read = 0;    ///< what it takes the client to read one snapshot
};

class SlowReader {
 public:
  static constexpr std::uint64_t tick_us = 16'667;

  struct Read {
    std::uint64_t tick;
    std::uint64_t made_at;
    std::uint64_t read_at;
    [[nodiscard]] std::uint64_t age() const { return read_at - made_at; }
  };

  /// `full_state`: how many snapshots the first message is as large as; 0: there is none.
  SlowReader(AckBound bound, Path path, std::uint64_t full_state, std::uint64_t seed)
      : bound_(bound), path_(path), prng_(seed), full_state_(full_state) {}

  void set_path(Path path) { path_ = path; }

  /// The server's room ticks so often.
  void run(std::uint64_t ticks) {
    for (; ticks > 0; --ticks) tick();
  }
  /// Forgets what was read so far.
  void forget() {
    reads_.clear();
    ticks_ = sent_ = 0;
  }
  [[nodiscard]] const std::vector<Read>& reads() const { return reads_; }
  /// Since forget().
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t ticks() const { return ticks_; }
  [[nodiscard]] std::uint64_t now() const { return now_; }
  [[nodiscard]] AckWindow& window() { return window_; }

 private:
  struct Message {
    std::uint64_t tick;
    std::uint64_t at;
  };
  static constexpr std::uint64_t first_tick = 1'000;
  /// Instants begin later than never.
  static constexpr std::uint64_t first_us = 1'000'000;
  static constexpr std::uint64_t patience_us = 1'000'000;

  [[nodiscard]] std::uint64_t one_way() {
    return path_.round_trip / 2 + (path_.jitter == 0 ? 0 : prng_.below(path_.jitter / 2 + 1));
  }

  void tick() {
    const std::uint64_t begins = (++tick_ - first_tick) * tick_us;
    // Whatever comes about before this tick, in order.
    for (;;) {
      if (overdue_at() <= std::min({begins, arriving_.empty() ? begins : arriving_.front().at,
                                    acknowledging_.empty() ? begins : acknowledging_.front().at})) {
        now_ = overdue_at();
        speak();
        continue;
      }
      const bool reads = !arriving_.empty() && arriving_.front().at <= begins;
      const bool hears = !acknowledging_.empty() && acknowledging_.front().at <= begins;
      if (reads && (!hears || arriving_.front().at <= acknowledging_.front().at)) {
        read();
      } else if (hears) {
        hear();
      } else {
        break;
      }
    }
    now_ = begins;
    ++ticks_;
    if (tick_ == first_tick + 1 && full_state_ > 0) {
      window_.sent(tick_ - 1);
      depart(tick_ - 1, full_state_);
    }
    if (!window_.acknowledges() && now_ - waited_at_ >= patience_us) {
      waited_at_ = now_;
      window_.another_without();
    }
    waiting_ = tick_;
    send();
  }
  void send() {
    if (!waiting_ || !window_.may_send(*waiting_, bound_)) return;
    window_.sent(*waiting_);
    ++sent_;
    depart(*waiting_, 1);
    waiting_.reset();
  }
  void depart(std::uint64_t tick, std::uint64_t size) {
    // In order, whatever the path does.
    arrived_at_ = std::max(arrived_at_, now_ + one_way());
    busy_until_ = std::max(busy_until_, arrived_at_) + path_.read * size;
    arriving_.push_back({tick, busy_until_});
  }
  void read() {
    const Message message = arriving_.front();
    arriving_.pop_front();
    now_ = message.at;
    if (message.tick != first_tick || full_state_ == 0) {
      reads_.push_back({message.tick, (message.tick - first_tick) * tick_us, now_});
    }
    newest_ = message.tick;
    says_.received(static_cast<UnixNanoseconds>((message.tick - first_tick) * tick_us * 1'000),
                   client_now());
    speak();
  }
  void speak() {
    while (says_.due(newest_, client_now())) {
      says_.sent_alone(newest_, client_now());
      heard_at_ = std::max(heard_at_, now_ + one_way());
      acknowledging_.push_back({newest_, heard_at_});
    }
  }
  [[nodiscard]] Instant client_now() const {
    return Instant(std::chrono::microseconds(now_ + first_us));
  }
  /// As our times are; long after all when nothing is.
  [[nodiscard]] std::uint64_t overdue_at() const {
    const Instant at = says_.overdue_at();
    if (at == never) return UINT64_MAX;
    const auto us = std::chrono::ceil<std::chrono::microseconds>(at.time_since_epoch()).count();
    return std::max(now_, static_cast<std::uint64_t>(us) - first_us);
  }
  void hear() {
    const Message message = acknowledging_.front();
    acknowledging_.pop_front();
    now_ = message.at;
    if (message.tick <= window_.acknowledged()) window_.client_waits(tick_ - 1);
    window_.acknowledge(message.tick, tick_ - 1, bound_);
    send();
  }

  AckBound bound_;
  Path path_;
  Prng prng_;
  std::uint64_t full_state_;
  AckWindow window_;
  std::uint64_t tick_ = first_tick;
  std::uint64_t now_ = 0;
  std::uint64_t ticks_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t waited_at_ = 0;
  std::uint64_t arrived_at_ = 0;
  std::uint64_t busy_until_ = 0;
  std::uint64_t heard_at_ = 0;
  std::uint64_t newest_ = 0;  ///< that the client has read
  std::optional<std::uint64_t> waiting_;
  load::Acknowledgement says_{bound_.acknowledge_every_ticks, std::chrono::microseconds(tick_us)};
  std::deque<Message> arriving_;
  std::deque<Message> acknowledging_;
  std::vector<Read> reads_;
};

}  // namespace ringcast::room
