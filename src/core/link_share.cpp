#include "core/link_share.h"

#include <algorithm>
#include <utility>

namespace ringcast::server {

using observe::Count;

LinkShare::LinkShare(const observe::CoreMetrics& own, std::span<const CorePeer> peers)
    : own_(own),
      peers_(peers),
      part_(1 / static_cast<double>(std::max<std::size_t>(1, peers.size()))) {}

std::uint64_t LinkShare::due_elsewhere() const {
  std::uint64_t due = 0;
  for (const CorePeer& peer : peers_) {
    if (peer.metrics != nullptr) due += (*peer.metrics)[Count::link_bytes_due].value();
  }
  return due;
}

// A core on which nothing was due gets something as well: who joins there does not wait for the
// next look. All such cores together keep at most a twenty-fifth from the others, however many
// there are.
void LinkShare::look() {
  if (peers_.empty()) return;
  const std::uint64_t own_due = own_[Count::link_bytes_due].value();
  const std::uint64_t elsewhere_due = due_elsewhere();
  const auto own = static_cast<double>(own_due - std::exchange(own_before_, own_due));
  const auto total =
      own + static_cast<double>(elsewhere_due - std::exchange(elsewhere_before_, elsewhere_due));
  const auto cores = static_cast<double>(peers_.size());
  const double least = total / 25 / cores;
  part_ = total == 0 ? 1 / cores : (own + least) / (total + cores * least);
}

}  // namespace ringcast::server
