// What threads of a simulation's own have for its room: bounded, written by any thread, read by the
// home core in each tick. The one lock that a core shares with others: it is held for as long as it
// takes to move two pointers, and the core only tries it; what it can't read now it reads in the
// next tick. Whoever keeps a handle keeps this alive, and is told when the room has gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
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

  bool post(std::uint32_t kind, std::vector<std::byte> payload) override;

  /// Moves what has come into `into`, which is empty.
  void take(std::vector<Post>& into);
  /// Nothing is taken any more.
  void close();

 private:
  std::mutex mutex_;
  std::vector<Post> posts_;
  std::size_t bytes_ = 0;
  bool closed_ = false;
};

/// The room's end of its mailbox, which is made when a handle is first asked for and ends with the
/// room. What the core runs of it is out of line: scripts/check_atomics.py looks at all the rest.
class RoomPosts {
 public:
  RoomPosts() = default;
  RoomPosts(const RoomPosts&) = delete;
  RoomPosts& operator=(const RoomPosts&) = delete;
  ~RoomPosts();

  [[nodiscard]] RoomHandle handle();
  /// What has come since the last time; valid until the next.
  [[nodiscard]] std::span<const RoomMailbox::Post> take();
  /// Nothing is taken any more.
  void close();

 private:
  std::shared_ptr<RoomMailbox> mailbox_;
  std::vector<RoomMailbox::Post> taken_;
};

}  // namespace ringcast::room
