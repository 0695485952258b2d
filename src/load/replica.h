// What one load client holds of a replicated room: every frame is decoded and its digest checked,
// or its tick alone is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "replication/reader.h"
#include "wire/envelope.h"

namespace ringcast::load {

/// A frame that was read: of one tick.
struct ReplicatedFrame {
  std::uint64_t tick = 0;
  bool begins_message = false;  ///< of those that came with it, it is the first that was read
  UnixNanoseconds due = 0;      ///< when that was, by the server's clock
  std::size_t payload_bytes = 0;
  struct Held {
    std::size_t objects = 0;         ///< that the client holds
    std::uint64_t oldest_ticks = 0;  ///< since the one of them that was told of first
  };
  std::optional<Held> held;  ///< after a frame that was read whole
};

class Replica {
 public:
  /// `whole`: every frame is read and checked, otherwise only its tick.
  Replica(replication::Layout layout, std::uint32_t rate_hz, bool whole) : rate_hz_(rate_hz) {
    if (whole) reader_.emplace(std::move(layout));
  }

  struct Read {
    std::string_view problem = {};  ///< empty: there is none
    ReplicatedFrame frame = {};     ///< without a problem
    /// The client has to ask for everything anew: of frames that it can't read, the first.
    std::optional<wire::Resync> resync = std::nullopt;
  };
  [[nodiscard]] Read read(const wire::ReplicatedFrameView& view);

  [[nodiscard]] std::uint64_t digests_checked() const {
    return reader_ ? reader_->digests_checked() : 0;
  }

 private:
  [[nodiscard]] replication::ReadResult take(std::span<const std::byte> frame);
  [[nodiscard]] UnixNanoseconds due() const;
  [[nodiscard]] ReplicatedFrame::Held held() const;

  std::optional<replication::Reader> reader_;  ///< of whole frames
  replication::TickNumber tick_ = 0;
  std::uint32_t rate_hz_;
  bool lost_ = false;
  // From the newest frame that said when it was due.
  std::uint64_t told_tick_ = 0;
  UnixNanoseconds told_due_ = 0;
};

}  // namespace ringcast::load
