// What threads of a simulation's own have for its room: bounded, written by any thread, read by the
// home core in each tick. The one lock that a core shares with others: it is held for as long as it
// takes to move two pointers, and the core only tries it; what it can't read now it reads in the
// next tick. Whoever keeps a handle keeps this alive, and is told when the room has gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "ringcast/simulation.h"

namespace ringcast::room {

class RoomMailbox final : public RoomHandle::Mailbox {
 public:
  static constexpr std::size_t posts_max = 1'024;
  static constexpr std::size_t bytes_max = std::size_t{4} << 20;

  struct Post {
    std::uint32_t kind;
    std::vector<std::byte> payload;
  };

  bool post(std::uint32_t kind, std::vector<std::byte> payload) override {
    const std::scoped_lock lock(mutex_);
    if (closed_ || posts_.size() == posts_max || payload.size() > bytes_max - bytes_) return false;
    bytes_ += payload.size();
    posts_.push_back({kind, std::move(payload)});
    return true;
  }

  /// Moves what has come into `into`, which is empty.
  void take(std::vector<Post>& into) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return;
    std::swap(posts_, into);
    bytes_ = 0;
  }
  /// Nothing is taken any more.
  void close() {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    posts_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<Post> posts_;
  std::size_t bytes_ = 0;
  bool closed_ = false;
};

}  // namespace ringcast::room
