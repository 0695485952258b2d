// What part of the machine's network link is this core's: as its part of all that would have been
// sent on all cores since the last look, so that the snapshots of all members are thinned alike,
// whatever core they are on.
#pragma once

#include <cstdint>
#include <span>

#include "core/peer_mail.h"
#include "observe/metrics.h"

namespace ringcast::server {

class LinkShare {
 public:
  /// `own`: the metrics of this core. `peers` by core, its own empty; none: there is one core. Both
  /// outlive it.
  LinkShare(const observe::CoreMetrics& own, std::span<const CorePeer> peers);

  /// Looks at what has been due on each core: once a second, on this core's thread.
  void look();
  /// Of a link that carries so much; 0 of 0, which is no bound.
  [[nodiscard]] double bytes_per_s(std::uint64_t link_bits_per_s) const {
    return part_ * static_cast<double>(link_bits_per_s) / 8;
  }

 private:
  [[nodiscard]] std::uint64_t due_elsewhere() const;

  const observe::CoreMetrics& own_;
  std::span<const CorePeer> peers_;
  std::uint64_t own_before_ = 0;
  std::uint64_t elsewhere_before_ = 0;
  double part_;
};

}  // namespace ringcast::server
