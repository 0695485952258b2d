// A core's notices as lines of the log. On the control thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/handles.h"
#include "observe/log.h"
#include "session/notices.h"

namespace ringcast::server {

/// A room that has been closed meanwhile has no name any more, but still a number.
[[nodiscard]] std::string room_name(room::RoomId id, std::span<const RunningRoom> rooms);

/// One line: what happened, with the core, and the session (SLOT.GENERATION on its core), room and
/// member that it concerns.
void log_notice(const observe::Log& log, std::uint32_t core, const Notice& notice,
                std::span<const RunningRoom> rooms);

}  // namespace ringcast::server
