#include "control/notice_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace ringcast::server {
namespace {

using observe::LogLevel;

std::int64_t number(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

}  // namespace

std::string room_name(room::RoomId id, std::span<const RunningRoom> rooms) {
  const auto found = std::ranges::find(rooms, id, &RunningRoom::id);
  return found == rooms.end() ? fmt::format("#{}", static_cast<std::uint32_t>(id))
                              : found->options->name;
}

void log_notice(const observe::Log& log, std::uint32_t core, const Notice& notice,
                std::span<const RunningRoom> rooms) {
  const std::string room = room_name(notice.room, rooms);
  const std::string session = fmt::format("{}.{}", notice.session.slot, notice.session.generation);
  const auto member = static_cast<std::int64_t>(notice.member);
  const std::string address = notice.address ? notice.address->text() : "unknown";
  switch (notice.kind) {
    case Notice::Kind::session_closed:
      return log.write(LogLevel::warning, "session closed",
                       {{"core", std::int64_t{core}},
                        {"session", session},
                        {"room", room},
                        {"member", member},
                        {"code", static_cast<std::int64_t>(notice.code)},
                        {"reason", notice.reason()}},
                       notice.suppressed);
    case Notice::Kind::heartbeat_missed:
      return log.write(
          LogLevel::info, "session lost: it did not answer a ping",
          {{"core", std::int64_t{core}}, {"session", session}, {"room", room}, {"member", member}},
          notice.suppressed);
    case Notice::Kind::send_stalled:
      return log.write(
          LogLevel::info, "session lost: it did not read on in a frame (session.send_timeout_ms)",
          {{"core", std::int64_t{core}}, {"session", session}, {"room", room}, {"member", member}},
          notice.suppressed);
    case Notice::Kind::sessions_evicted:
      return log.write(LogLevel::warning,
                       "frame memory is short: sessions that did not read what they hold are gone",
                       {{"core", std::int64_t{core}},
                        {"room", room},
                        {"sessions", number(notice.count)},
                        {"bytes", number(notice.bytes)}},
                       notice.suppressed);
    case Notice::Kind::ticks_overrun:
      if (notice.other_room) {
        return log.write(LogLevel::warning, "ticks left out: another room's tick held the core",
                         {{"core", std::int64_t{core}},
                          {"room", room},
                          {"ticks", number(notice.count)},
                          {"held_by", room_name(*notice.other_room, rooms)}},
                         notice.suppressed);
      }
      return log.write(
          LogLevel::warning, "ticks left out: their time had passed",
          {{"core", std::int64_t{core}}, {"room", room}, {"ticks", number(notice.count)}},
          notice.suppressed);
    case Notice::Kind::frames_outlast_ticks:
      return log.write(
          LogLevel::warning,
          "ticks left out: the frames of the one before were still being sent; spread "
          "the room over more cores, or give it a lower rate_hz",
          {{"core", std::int64_t{core}}, {"room", room}, {"ticks", number(notice.count)}},
          notice.suppressed);
    case Notice::Kind::room_rests:
      return log.write(LogLevel::warning,
                       "a room ticks more rarely: its tick took more than its time, and the core "
                       "has other rooms",
                       {{"core", std::int64_t{core}},
                        {"room", room},
                        {"tick_us", number(notice.count)},
                        {"ticks", number(notice.more)}},
                       notice.suppressed);
    case Notice::Kind::frame_memory_exhausted:
      return log.write(
          LogLevel::error, "frame memory exhausted; raise memory.frame_memory_bytes",
          {{"core", std::int64_t{core}}, {"room", room}, {"room_bytes", number(notice.bytes)}},
          notice.suppressed);
    case Notice::Kind::accept_failed:
      return log.write(
          LogLevel::error, "cannot accept a connection",
          {{"core", std::int64_t{core}}, {"error", std::strerror(static_cast<int>(notice.count))}},
          notice.suppressed);
    case Notice::Kind::socket_table_full:
      // A table is as large as the setting asks for, unless the limit was too low for that, which
      // has been said at start.
      return log.write(LogLevel::error,
                       "cannot accept a connection: the ring's table of direct sockets is full; "
                       "raise core.connections_max",
                       {{"core", std::int64_t{core}}}, notice.suppressed);
    case Notice::Kind::proxy_header_malformed:
      return log.write(
          LogLevel::warning, "PROXY header refused",
          {{"core", std::int64_t{core}}, {"proxy", address}, {"reason", notice.reason()}},
          notice.suppressed);
    case Notice::Kind::address_over_limit:
      return log.write(
          LogLevel::warning, "connection refused: its address is over a limit",
          {{"core", std::int64_t{core}}, {"address", address}, {"limit", notice.reason()}},
          notice.suppressed);
    case Notice::Kind::token_refused:
      return log.write(
          LogLevel::warning, "token refused",
          {{"core", std::int64_t{core}}, {"address", address}, {"reason", notice.reason()}},
          notice.suppressed);
    case Notice::Kind::used_tokens_full:
      return log.write(
          LogLevel::error,
          "tokens are refused: no more used ones can be remembered until some have run "
          "out; let the issuer give them less time, or turn auth.once off",
          {{"core", std::int64_t{core}}, {"remembered", static_cast<std::int64_t>(notice.count)}},
          notice.suppressed);
    // Each room has had its bounds: here they would be all rooms' together.
    case Notice::Kind::simulation:
      return log.write_bounded(static_cast<LogLevel>(notice.level), notice.text.view(),
                               {{"core", std::int64_t{core}}, {"room", room}}, notice.suppressed);
    case Notice::Kind::end:
      return;
  }
}

}  // namespace ringcast::server
