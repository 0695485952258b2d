#include "arena/codec.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ringcast::arena {
namespace {

v1::arena::ObjectKind kind_of(const Object& object) {
  switch (object.kind) {
    case Kind::player:
      return object.away ? v1::arena::OBJECT_KIND_PLAYER_AWAY : v1::arena::OBJECT_KIND_PLAYER;
    case Kind::bot:
      return v1::arena::OBJECT_KIND_BOT;
    case Kind::fragment:
      return v1::arena::OBJECT_KIND_FRAGMENT;
    case Kind::attractor:
      break;  // never replicated
  }
  return v1::arena::OBJECT_KIND_UNSPECIFIED;
}

std::int32_t tenths(float value) {
  return static_cast<std::int32_t>(std::round(value * 10));
}

void fill(v1::arena::Object& message, const Object& object) {
  constexpr int kind_bits = 3;
  message.set_id(std::to_underlying(object.id));
  message.set_x(object.position.x);
  message.set_y(object.position.y);
  message.set_vx_tenths(tenths(object.velocity.x));
  message.set_vy_tenths(tenths(object.velocity.y));
  message.set_state(static_cast<std::uint32_t>(tenths(object.radius)) << kind_bits |
                    static_cast<std::uint32_t>(kind_of(object)));
}

}  // namespace

Codec::Codec(std::size_t objects_max) {
  for (std::size_t i = 0; i < objects_max; ++i) state_.add_objects();
  created_.mutable_created()->mutable_object();
  deleted_.mutable_deleted();
  session_ended_.mutable_session_ended();
}

const Payload& Codec::state(const World& world) {
  state_.set_width(world.width());
  state_.set_height(world.height());
  state_.set_members(static_cast<std::uint32_t>(world.members()));
  state_.clear_objects();
  for (const Object& object : world.objects()) {
    if (object.replicated()) fill(*state_.add_objects(), object);
  }
  return state_payload_;
}

const Payload& Codec::event(const Event& event) {
  return std::visit(
      [this](const auto& alternative) -> const Payload& { return payload(alternative); }, event);
}

const Payload& Codec::payload(const ObjectCreated& created) {
  fill(*created_.mutable_created()->mutable_object(), created.object);
  created_.mutable_created()->set_member_id(std::to_underlying(created.object.member));
  return created_payload_;
}

const Payload& Codec::payload(const ObjectDeleted& deleted) {
  deleted_.mutable_deleted()->set_id(std::to_underlying(deleted.id));
  deleted_.mutable_deleted()->set_absorbed_by(std::to_underlying(deleted.absorbed_by));
  return deleted_payload_;
}

const Payload& Codec::payload(const SessionEnded& ended) {
  session_ended_.mutable_session_ended()->set_member_id(std::to_underlying(ended.member));
  return session_ended_payload_;
}

std::optional<Input> read_input(std::span<const std::byte> payload) {
  v1::arena::ArenaInput input;
  if (!input.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return std::nullopt;
  if (!std::isfinite(input.dx()) || !std::isfinite(input.dy())) return std::nullopt;
  // First into the square, so that the square of the length is finite.
  const float largest = std::max({1.0F, std::abs(input.dx()), std::abs(input.dy())});
  const Vector wish{input.dx() / largest, input.dy() / largest};
  Input read{.wish = length(wish) > 1 ? direction(wish, wish) : wish, .name = {}, .view = {}};
  if (input.has_name()) {
    if (input.name().size() > Name{}.size()) return std::nullopt;
    std::ranges::copy(input.name(), read.name.emplace(Name{}).begin());
  }
  const Vector view{input.view_width(), input.view_height()};
  if (!std::isfinite(view.x) || !std::isfinite(view.y)) return std::nullopt;
  if (view.x > 0 && view.y > 0) read.view = view;
  return read;
}

}  // namespace ringcast::arena
