#include "snapshot.h"

#include "base/prng.h"

namespace ringcast::floor {
namespace {

constexpr float side = 1'000.0F;

/// Bytes of the header of an unmasked frame (RFC 6455 section 5.2).
std::size_t header_bytes(std::size_t payload) {
  return payload < 126 ? 2 : payload < 65'536 ? 4 : 10;
}

/// One final unmasked binary frame of a message, written over `out`.
void frame_binary(const v1::ServerEnvelope& envelope, std::string& out) {
  const std::size_t payload = envelope.ByteSizeLong();
  const std::size_t header = header_bytes(payload);
  out.assign(1, static_cast<char>(0x82));
  out += static_cast<char>(header == 2 ? payload : header == 4 ? 126 : 127);
  for (std::size_t left = header - 2; left-- > 0;) {
    out += static_cast<char>(payload >> (8 * left) & 0xff);
  }
  envelope.AppendToString(&out);
}

}  // namespace

SnapshotSource::SnapshotSource(std::uint32_t objects, std::uint32_t frame_bytes,
                               std::uint32_t rate_hz)
    : rate_hz_(rate_hz), frame_bytes_(frame_bytes) {
  Prng prng(1);
  state_.set_width(side);
  state_.set_height(side);
  const auto within = [&prng](float bound) { return static_cast<float>(prng.unit()) * bound; };
  for (std::uint32_t id = 1; id <= objects; ++id) {
    v1::arena::Object& object = *state_.add_objects();
    object.set_id(id);
    object.set_x(within(side));
    object.set_y(within(side));
    object.set_vx_tenths(static_cast<std::int32_t>(prng.below(1'000)) - 500);
    object.set_vy_tenths(static_cast<std::int32_t>(prng.below(1'000)) - 500);
    object.set_state(v1::arena::OBJECT_KIND_BOT | 80U << 3);
  }
}

std::string_view SnapshotSource::next(UnixNanoseconds now) {
  ++tick_;
  const float step = 0.1F / static_cast<float>(rate_hz_);  // velocities are in tenths
  for (v1::arena::Object& object : *state_.mutable_objects()) {
    if (object.x() < 0 || object.x() > side) object.set_vx_tenths(-object.vx_tenths());
    if (object.y() < 0 || object.y() > side) object.set_vy_tenths(-object.vy_tenths());
    object.set_x(object.x() + static_cast<float>(object.vx_tenths()) * step);
    object.set_y(object.y() + static_cast<float>(object.vy_tenths()) * step);
  }
  v1::Snapshot& snapshot = *envelope_.mutable_snapshot();
  snapshot.set_tick(tick_);
  snapshot.set_server_time_unix_ns(static_cast<std::uint64_t>(now));
  state_.SerializeToString(snapshot.mutable_payload());
  if (frame_bytes_ != 0) {
    const std::size_t message = envelope_.ByteSizeLong();
    const std::size_t rest = header_bytes(message) + message - snapshot.payload().size();
    snapshot.mutable_payload()->resize(frame_bytes_ > rest ? frame_bytes_ - rest : 0);
  }
  frame_binary(envelope_, frame_);
  return frame_;
}

std::string_view SnapshotSource::welcome(UnixNanoseconds now) {
  v1::ServerEnvelope envelope;
  v1::Welcome& welcome = *envelope.mutable_welcome();
  welcome.set_room("floor");
  welcome.set_member_id(1);
  welcome.set_rate_hz(rate_hz_);
  welcome.set_tick(tick_);
  welcome.set_server_time_unix_ns(static_cast<std::uint64_t>(now));
  welcome.set_acknowledge_every_ticks(6);
  welcome.set_server_version("floor");
  frame_binary(envelope, welcome_);
  return welcome_;
}

}  // namespace ringcast::floor
