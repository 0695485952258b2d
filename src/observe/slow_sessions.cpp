#include "observe/slow_sessions.h"

#include <algorithm>

namespace ringcast::observe {
namespace {

constexpr int tries_max = 4;

/// Waiting and being behind in one figure, to rank by only: ticks taken at 60 Hz.
std::uint64_t lateness(const SlowSession& session) {
  constexpr std::uint64_t tick_ns = 16'666'667;
  return std::max(session.waiting_ns, session.behind_ticks * tick_ns);
}

}  // namespace

bool is_slower(const SlowSession& left, const SlowSession& right) {
  return lateness(left) > lateness(right);
}

void SlowSessions::write(std::span<const SlowSession> rows) {
  const std::uint64_t version = version_.load(std::memory_order_relaxed);
  version_.store(version + 1, std::memory_order_relaxed);
  const std::size_t count = std::min(rows.size(), rows_max);
  size_.store(count, std::memory_order_release);
  for (std::size_t at = 0; at < count; ++at) {
    const SlowSession& row = rows[at];
    const std::array<std::uint64_t, cells_per_row> values{
        std::uint64_t{row.generation} << 32 | row.slot,
        row.room,
        row.member,
        row.waiting_ns,
        row.behind_ticks,
        row.backlog_frames,
        row.backlog_bytes};
    for (std::size_t cell = 0; cell < cells_per_row; ++cell) {
      rows_[at][cell].store(values[cell], std::memory_order_release);
    }
  }
  version_.store(version + 2, std::memory_order_release);
}

std::optional<std::vector<SlowSession>> SlowSessions::read() const {
  for (int attempt = 0; attempt < tries_max; ++attempt) {
    const std::uint64_t before = version_.load(std::memory_order_acquire);
    if (before % 2 != 0) continue;
    const auto value = [](const Number& number) { return number.load(std::memory_order_acquire); };
    std::vector<SlowSession> out(std::min<std::size_t>(value(size_), rows_max));
    for (std::size_t at = 0; at < out.size(); ++at) {
      const auto& cells = rows_[at];
      const std::uint64_t name = value(cells[0]);
      out[at] = {.slot = static_cast<std::uint32_t>(name),
                 .generation = static_cast<std::uint32_t>(name >> 32),
                 .room = static_cast<std::uint32_t>(value(cells[1])),
                 .member = value(cells[2]),
                 .waiting_ns = value(cells[3]),
                 .behind_ticks = value(cells[4]),
                 .backlog_frames = value(cells[5]),
                 .backlog_bytes = value(cells[6])};
    }
    if (version_.load(std::memory_order_relaxed) == before) return out;
  }
  return std::nullopt;
}

void SlowestOf::show(const SlowSession& session) {
  const std::uint64_t its = lateness(session);
  if (size_ == rows_.size() && its <= lateness(rows_[size_ - 1])) return;
  if (size_ < rows_.size()) ++size_;
  std::size_t at = size_ - 1;
  for (; at > 0 && lateness(rows_[at - 1]) < its; --at) rows_[at] = rows_[at - 1];
  rows_[at] = session;
}

}  // namespace ringcast::observe
