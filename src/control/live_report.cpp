#include "control/live_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/version.h"

namespace ringcast::server {
namespace {

using observe::Count;
using observe::Level;

double microseconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e3;
}

std::string quantiles(const HistogramWindow& window) {
  return fmt::format(R"({{"p50":{:.1f},"p95":{:.1f},"p99":{:.1f}}})",
                     microseconds(window.quantile(0.5)), microseconds(window.quantile(0.95)),
                     microseconds(window.quantile(0.99)));
}

std::string_view word(Readiness readiness) {
  switch (readiness) {
    case Readiness::starting:
      return "starting";
    case Readiness::serving:
      return "serving";
    case Readiness::draining:
      return "draining";
  }
  return "";
}

/// What a tick spends on it: several payloads may be marshaled in one tick.
double per_tick_us(const HistogramWindow& window, std::uint64_t ticks) {
  if (ticks == 0) return 0;
  return window.mean() * static_cast<double>(window.count()) / static_cast<double>(ticks) / 1e3;
}

}  // namespace

void HistogramWindow::look(const observe::Histogram& histogram) {
  count_ = 0;
  for (std::size_t bucket = 0; bucket < fresh_.size(); ++bucket) {
    const std::uint64_t now = histogram.count_in(bucket);
    fresh_[bucket] = now - std::exchange(seen_[bucket], now);
    count_ += fresh_[bucket];
  }
  const std::uint64_t sum = histogram.sum();
  sum_ = sum - std::exchange(sum_seen_, sum);
}

std::uint64_t HistogramWindow::quantile(double q) const {
  if (count_ == 0) return 0;
  const auto rank = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < fresh_.size(); ++bucket) {
    seen += fresh_[bucket];
    if (seen >= rank) return observe::Histogram::upper_bound(bucket);
  }
  return 0;
}

double HistogramWindow::mean() const {
  return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

std::string LiveReport::next() {
  const Instant now = clock_.now();
  ++round_;
  const double seconds = std::max(1e-3, std::chrono::duration<double>(now - since_).count());
  since_ = now;
  cores_.resize(view_.cores.size());
  std::string out = fmt::format(R"({{"version":"{}","readiness":"{}","window_s":{:.3f},"cores":[)",
                                version, word(view_.readiness), seconds);
  for (std::size_t core = 0; core < view_.cores.size(); ++core) {
    if (core != 0) out += ',';
    tell_core(out, core, seconds);
  }
  out += R"(],"rooms":[)";
  const std::size_t told = std::min(view_.rooms.size(), rooms_max);
  for (std::size_t room = 0; room < told; ++room) {
    if (room != 0) out += ',';
    tell_room(out, view_.rooms[room], seconds);
  }
  std::erase_if(rooms_, [this](const auto& entry) { return entry.second.round != round_; });
  fmt::format_to(std::back_inserter(out), R"(],"rooms_left_out":{},"slowest":[)",
                 view_.rooms.size() - told);
  tell_slowest(out);
  return out += "]}";
}

// Empty while the core turns.
std::string LiveReport::stands_still(std::size_t core) const {
  const auto found = std::ranges::find(view_.stuck, core, &StuckCore::core);
  return found == view_.stuck.end() ? std::string{} : found->text(view_.rooms);
}

void LiveReport::tell_core(std::string& out, std::size_t index, double seconds) {
  const observe::CoreMetrics& metrics = *view_.cores[index].metrics;
  CoreSeen& seen = cores_[index];
  const auto rate = [&](Count count) {
    const std::uint64_t value = metrics[count].value();
    std::uint64_t& before = seen.counts[static_cast<std::size_t>(count)];
    return static_cast<double>(value - std::exchange(before, value)) / seconds;
  };
  const std::uint64_t busy = metrics.busy_ns.value();
  const double busy_ratio =
      static_cast<double>(busy - std::exchange(seen.busy_ns, busy)) / 1e9 / seconds;
  seen.age.look(metrics.send_age);
  seen.write.look(metrics.write_duration);
  seen.submit.look(metrics.submit_duration);
  const double frames = rate(Count::frames_sent_latest) + rate(Count::frames_sent_reliable) +
                        rate(Count::frames_sent_control);
  const double dropped = rate(Count::frames_dropped_latest) + rate(Count::frames_replaced_latest);
  fmt::format_to(
      std::back_inserter(out),
      R"({{"core":{},"busy":{:.4f},"sessions":{},"connections":{},"rooms":{},)"
      R"("frames_per_s":{:.1f},"bytes_per_s":{:.0f},"received_bytes_per_s":{:.0f},)"
      R"("replaced_per_s":{:.1f},"held_per_s":{:.1f},"blocked_per_s":{:.1f},)"
      R"("allocations_per_s":{:.1f},"backlog_frames":{},"backlog_bytes":{},)"
      R"("operations_in_flight":{},"frame_memory_used_bytes":{},"frame_memory_bytes":{},)"
      R"("stands_still":"{}","age_us":{},"write_us":{},"submit_us":{}}})",
      index, std::min(1.0, busy_ratio), metrics[Level::sessions].value(),
      metrics[Level::connections].value(), metrics[Level::rooms].value(), frames,
      rate(Count::bytes_sent), rate(Count::bytes_received), dropped,
      rate(Count::frames_held_for_acknowledgement) + rate(Count::frames_held_for_link),
      rate(Count::sends_blocked) + rate(Count::sends_short), rate(Count::allocations),
      metrics[Level::backlog_frames].value(), metrics[Level::backlog_bytes].value(),
      metrics[Level::operations_in_flight].value(), metrics[Level::frame_memory_used_bytes].value(),
      metrics[Level::frame_memory_bytes].value(), stands_still(index), quantiles(seen.age),
      quantiles(seen.write), quantiles(seen.submit));
}

// Names of rooms and simulations are plain words: nothing in them needs escaping.
void LiveReport::tell_room(std::string& out, const RunningRoom& room, double seconds) {
  const observe::RoomMetrics& metrics = *room.metrics;
  RoomSeen& seen = rooms_[room.id];
  seen.round = round_;
  const std::uint64_t tick = metrics.tick.value();
  const std::uint64_t ticks = tick - std::exchange(seen.ticks, tick);
  const std::uint64_t overrun = metrics.ticks_overrun.value();
  const std::uint64_t held_up = metrics.ticks_held_up.value();
  const std::uint64_t rested = metrics.ticks_rested.value();
  const std::uint64_t waited = metrics.ticks_waited.value();
  seen.tick.look(metrics.tick_duration);
  seen.handed_over.look(metrics.tick_handed_over);
  seen.lateness.look(metrics.tick_lateness);
  seen.step.look(metrics.step_duration);
  seen.marshal.look(metrics.marshal_duration);
  seen.frame.look(metrics.frame_duration);
  seen.broadcast.look(metrics.broadcast_duration);
  fmt::format_to(
      std::back_inserter(out),
      R"({{"name":"{}","simulation":"{}","core":{},"spread":{},"members":{},"rate_hz":{},)"
      R"("budget_us":{:.1f},"tick":{},"ticks_per_s":{:.1f},"overrun":{},"held_up":{},"rested":{},)"
      R"("waited":{},"snapshot_bytes":{},)"
      R"("backlog_frames":{},"backlog_bytes":{},"tick_us":{},"handed_over_us":{},)"
      R"("lateness_us":{},"stages_us":{{"step":{:.1f},"marshal":{:.1f},"frame":{:.1f},)"
      R"("broadcast":{:.1f}}}}})",
      room.options->name, room.options->simulation, room.core, room.options->spread,
      metrics.members.value(), room.options->rate_hz, 1e6 / room.options->rate_hz, tick,
      static_cast<double>(ticks) / seconds, overrun - std::exchange(seen.overrun, overrun),
      held_up - std::exchange(seen.held_up, held_up), rested - std::exchange(seen.rested, rested),
      waited - std::exchange(seen.waited, waited), metrics.snapshot_bytes.value(),
      metrics.backlog_frames.value(), metrics.backlog_bytes.value(), quantiles(seen.tick),
      quantiles(seen.handed_over), quantiles(seen.lateness), per_tick_us(seen.step, ticks),
      per_tick_us(seen.marshal, ticks), per_tick_us(seen.frame, ticks),
      per_tick_us(seen.broadcast, ticks));
}

void LiveReport::tell_slowest(std::string& out) const {
  struct Row {
    std::size_t core;
    observe::SlowSession session;
  };
  std::vector<Row> rows;
  for (std::size_t core = 0; core < view_.cores.size(); ++core) {
    const auto slowest = view_.cores[core].metrics->slow_sessions.read();
    if (!slowest) continue;
    for (const observe::SlowSession& session : *slowest) rows.push_back({core, session});
  }
  std::ranges::sort(rows, [](const Row& left, const Row& right) {
    if (observe::is_slower(left.session, right.session)) return true;
    if (observe::is_slower(right.session, left.session)) return false;
    return std::pair(left.core, left.session.slot) < std::pair(right.core, right.session.slot);
  });
  if (rows.size() > slowest_max) rows.resize(slowest_max);
  for (const Row& row : rows) {
    if (&row != &rows.front()) out += ',';
    const auto room =
        std::ranges::find(view_.rooms, room::RoomId{row.session.room}, &RunningRoom::id);
    fmt::format_to(std::back_inserter(out),
                   R"({{"core":{},"session":"{}.{}","room":"{}","member":{},"waiting_ms":{:.1f},)"
                   R"("behind_ticks":{},"backlog_frames":{},"backlog_bytes":{}}})",
                   row.core, row.session.slot, row.session.generation,
                   room == view_.rooms.end() ? std::string_view{} : room->options->name,
                   row.session.member, static_cast<double>(row.session.waiting_ns) / 1e6,
                   row.session.behind_ticks, row.session.backlog_frames, row.session.backlog_bytes);
  }
}

}  // namespace ringcast::server
