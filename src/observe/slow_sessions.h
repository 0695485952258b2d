// The sessions of a core that are farthest behind: a small table that the core rewrites when it
// samples its levels, and that any thread may read. So a reader never walks sessions, and a core
// never waits for a reader: the version tells a reader that it has read across a rewrite (a seqlock
// with one writer: Boehm, "Can seqlocks get along with programming language memory models?", 2012).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace ringcast::observe {

struct SlowSession {
  std::uint32_t slot = 0;  ///< with the generation its name on its core
  std::uint32_t generation = 0;
  std::uint32_t room = 0;        ///< RoomId
  std::uint64_t member = 0;      ///< MemberId
  std::uint64_t waiting_ns = 0;  ///< since it was queued to send what the kernel has not taken
  std::uint64_t behind_ticks =
      0;  ///< newest tick less the one it has acknowledged; 0: says nothing
  std::uint64_t backlog_frames = 0;  ///< in its outbox
  std::uint64_t backlog_bytes = 0;

  friend bool operator==(const SlowSession&, const SlowSession&) = default;
};

/// Whether `left` is farther behind.
[[nodiscard]] bool is_slower(const SlowSession& left, const SlowSession& right);

class SlowSessions {
 public:
  static constexpr std::size_t rows_max = 8;

  /// The core's: replaces the table. Rows beyond rows_max are left out.
  void write(std::span<const SlowSession> rows);
  /// Anybody's: the table as it once was; nothing when it was being rewritten at each of a few
  /// tries.
  [[nodiscard]] std::optional<std::vector<SlowSession>> read() const;

 private:
  static constexpr std::size_t cells_per_row = 7;

  // Stores release and loads acquire: whoever has seen a new value also sees that the version is
  // odd, or past it. No fences, which the thread sanitizer does not know.
  using Number = std::atomic<std::uint64_t>;

  Number version_ = 0;  // odd while it is rewritten
  Number size_ = 0;
  std::array<std::array<Number, cells_per_row>, rows_max> rows_{};
};

/// Keeps the rows_max farthest behind of those that it is shown; allocates nothing.
class SlowestOf {
 public:
  void show(const SlowSession& session);
  /// Farthest behind first.
  [[nodiscard]] std::span<const SlowSession> rows() const { return std::span(rows_).first(size_); }

 private:
  std::array<SlowSession, SlowSessions::rows_max> rows_{};
  std::size_t size_ = 0;
};

}  // namespace ringcast::observe
