// The arena's payloads: proto/ringcast/v1/arena.proto. Messages are kept and filled anew, since
// protobuf keeps their memory; in the steady state nothing is allocated. Of the arena, only this
// codec knows protobuf.
#pragma once

#include <optional>
#include <span>

#include "arena.pb.h"
#include "arena/world.h"
#include "ringcast/simulation.h"

namespace ringcast::arena {

/// A protobuf message as what an Outbound marshals.
class MessagePayload final : public Payload {
 public:
  explicit MessagePayload(const google::protobuf::MessageLite& message) : message_(message) {}
  [[nodiscard]] std::size_t size() const override { return message_.ByteSizeLong(); }
  void write(std::span<std::byte> out) const override {
    message_.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(out.data()));
  }

 private:
  const google::protobuf::MessageLite& message_;
};

/// What the functions return is valid until the next call.
class Codec {
 public:
  /// Has memory for states of so many objects from the start; those of more allocate.
  explicit Codec(std::size_t objects_max);

  [[nodiscard]] const Payload& state(const World& world);
  [[nodiscard]] const Payload& event(const Event& event);

 private:
  const Payload& payload(const ObjectCreated& created);
  const Payload& payload(const ObjectDeleted& deleted);
  const Payload& payload(const SessionEnded& ended);

  v1::arena::State state_;
  // One for each alternative: changing the alternative of a oneof frees and allocates.
  v1::arena::ArenaEvent created_;
  v1::arena::ArenaEvent deleted_;
  v1::arena::ArenaEvent session_ended_;
  MessagePayload state_payload_{state_};
  MessagePayload created_payload_{created_};
  MessagePayload deleted_payload_{deleted_};
  MessagePayload session_ended_payload_{session_ended_};
};

struct Input {
  Vector wish;  ///< at most 1 long
  std::optional<Name> name;
  std::optional<Vector> view;  ///< both above 0, units
};
/// Nothing when the bytes are not an ArenaInput, or hold what is no direction, name or size.
[[nodiscard]] std::optional<Input> read_input(std::span<const std::byte> payload);

}  // namespace ringcast::arena
