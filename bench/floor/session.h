// What the floor knows of a client: its socket, whether it has been upgraded, and what a short
// send still owes it. Sessions are found by their descriptor; the members are those upgraded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringcast::floor {

struct Session {
  std::string head;              ///< the upgrade request as far as it has come
  std::string owed;              ///< the rest of a snapshot that the socket took only a part of
  std::size_t member_index = 0;  ///< where it stands in Sessions::members()
  bool open = false;
  bool upgraded = false;
};

struct Counts {
  std::uint64_t frames_sent = 0;
  std::uint64_t frames_skipped = 0;  ///< the socket had no room: latest only
  std::uint64_t closed = 0;          ///< by the client, or broken
};

class Sessions {
 public:
  /// Descriptors are below `descriptors_max`.
  explicit Sessions(std::size_t descriptors_max) : by_descriptor_(descriptors_max) {}

  [[nodiscard]] Session& operator[](int descriptor) {
    return by_descriptor_[static_cast<std::size_t>(descriptor)];
  }
  void open(int descriptor);
  void close(int descriptor);

  /// Takes what a client sent: before the upgrade a piece of its request, afterwards something to
  /// be thrown away. False when the connection should be closed.
  [[nodiscard]] bool take(int descriptor, std::string_view bytes, std::string_view welcome);

  /// Sends what a short send has left over. True when nothing is owed any more: the next frame may
  /// begin.
  [[nodiscard]] bool settle(int descriptor);

  [[nodiscard]] const std::vector<int>& members() const { return members_; }

  Counts counts;

 private:
  std::vector<Session> by_descriptor_;
  std::vector<int> members_;
};

}  // namespace ringcast::floor
