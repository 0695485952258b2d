// When frame memory is short, be it all of a core's or what one room may have of it, those go first
// who have held frames for longest without reading, or hardly any of them: each keeps a block, or
// several, for itself, and a few hundred of them keep all there are.
#pragma once

#include <vector>

#include "session/core_context.h"
#include "session/session.h"

namespace ringcast::server {

class Sessions;

class MemoryRelief {
 public:
  /// Who waits for so long holds frames that nobody else needs any more, at any tick rate, and has
  /// stopped reading rather than fallen behind.
  static constexpr Nanoseconds held_min = std::chrono::seconds(1);
  /// Between two looks over all sessions.
  static constexpr Nanoseconds interval = std::chrono::milliseconds(100);

  MemoryRelief(CoreContext& context, Sessions& sessions);

  /// Ends sessions when there is a shortage, until there is none or nobody is to blame.
  void run() {
    if (context_.frames.has_shortage() && context_.now >= next_look_) look();
  }

 private:
  struct Holder {
    Instant since;
    Handle session;
  };

  void look();
  [[nodiscard]] bool is_to_blame(const Session& session) const;
  void evict(Handle handle);
  void tell();

  CoreContext& context_;
  Sessions& sessions_;
  std::vector<Holder> holders_;
  std::vector<Notice> evicted_;  ///< one a room
  Instant next_look_{};
};

}  // namespace ringcast::server
