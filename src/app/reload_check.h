// What a reload would leave undone or lose between two configurations: asked beside the server, by
// whoever has to choose between a reload and a restart. The rules are those of a reload itself.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/socket_plan.h"
#include "base/result.h"
#include "config/config.h"
#include "ringcast/simulation.h"

namespace ringcast::app {

struct ReloadCheck {
  /// What a reload leaves to the next start: settings, and rooms by `room "NAME"`.
  std::vector<std::string> waits;
  std::vector<std::string> leaves;   ///< names of rooms that a reload closes, and keeps if it can
  std::vector<std::string> returns;  ///< of rooms that are new, and of which something was saved
  std::vector<std::string> opens;    ///< of rooms that are new, and nothing else
  /// The sentence with which the server would refuse the reload; a restart it would not.
  std::optional<std::string> refused;
  [[nodiscard]] bool reload_is_enough() const;
  /// The answer, then a line `KIND: NAME` for each of the above, each with its newline.
  [[nodiscard]] std::string text() const;
};

/// Whether something is kept of a room; the error is a sentence. An empty function: rooms are not
/// saved.
using IsSaved = std::function<Result<bool>(std::string_view room)>;

/// Of a server that was started with `from` and `sockets`, and is to go by `to`. Of rooms that were
/// opened while it runs nothing is known: they stay at a reload and at a restart.
[[nodiscard]] Result<ReloadCheck> check_reload(const config::Config& from,
                                               const SocketPlan& sockets, const config::Config& to,
                                               const SimulationRegistry& simulations,
                                               const IsSaved& is_saved);

}  // namespace ringcast::app
