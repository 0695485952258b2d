// The bytes that the floor sends: a real ServerEnvelope with a snapshot of moving objects, encoded
// and framed once a tick into one buffer that stays where it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "arena.pb.h"
#include "base/clock.h"
#include "envelope.pb.h"

namespace ringcast::floor {

class SnapshotSource {
 public:
  /// `frame_bytes`: frames are cut or padded to this size, give or take a length field; 0: as large
  /// as they are.
  SnapshotSource(std::uint32_t objects, std::uint32_t frame_bytes, std::uint32_t rate_hz);

  /// Advances by one tick and returns its framed snapshot; valid until the next call.
  [[nodiscard]] std::string_view next(UnixNanoseconds now);
  /// The framed first message of a session.
  [[nodiscard]] std::string_view welcome(UnixNanoseconds now);
  [[nodiscard]] std::uint64_t tick() const { return tick_; }

 private:
  std::uint32_t rate_hz_;
  std::uint32_t frame_bytes_;
  std::uint64_t tick_ = 0;
  v1::arena::State state_;
  v1::ServerEnvelope envelope_;
  std::string frame_;
  std::string welcome_;
};

}  // namespace ringcast::floor
