// What one load client holds of a replicated room: every frame is decoded and its digest checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "replication/reader.h"
#include "wire/envelope.h"

namespace ringcast::load {

/// A frame that was read.
struct ReplicatedFrame {
  std::uint64_t tick = 0;
  UnixNanoseconds due = 0;  ///< when that was, by the server's clock
  std::size_t payload_bytes = 0;
  std::size_t objects = 0;  ///< that the client holds
};

class Replica {
 public:
  Replica(replication::Layout layout, std::uint32_t rate_hz)
      : reader_(std::move(layout)), rate_hz_(rate_hz) {}

  struct Read {
    std::string_view problem = {};  ///< empty: there is none
    ReplicatedFrame frame = {};     ///< without a problem
    /// The client has to ask for everything anew: of frames that it can't read, the first.
    std::optional<wire::Resync> resync = std::nullopt;
  };
  [[nodiscard]] Read read(const wire::ReplicatedView& view);

  [[nodiscard]] std::uint64_t digests_checked() const { return reader_.digests_checked(); }

 private:
  [[nodiscard]] UnixNanoseconds due() const;

  replication::Reader reader_;
  std::uint32_t rate_hz_;
  bool lost_ = false;
  // From the newest frame that said when it was due.
  std::uint64_t told_tick_ = 0;
  UnixNanoseconds told_due_ = 0;
};

}  // namespace ringcast::load
