#include "arena/collision.h"

namespace ringcast::arena {
namespace {

/// The part of the approach speed that remains after a bounce.
constexpr float restitution = 0.85F;
/// The part of an overlap that is taken back at once: all of it would make crowds tremble.
constexpr float separation = 0.6F;

}  // namespace

Contact contact(const Object& first, const Object& second) {
  const Vector between = second.position - first.position;
  const float reach = first.radius + second.radius;
  if (dot(between, between) >= reach * reach) return {false, {}, 0};
  const Vector normal = direction(between, {1, 0});
  return {true, normal, dot(first.velocity - second.velocity, normal)};
}

void bounce(Object& first, Object& second, const Contact& contact) {
  const float mass = first.mass() + second.mass();
  const float first_share = second.mass() / mass;  // the lighter one gives way
  const float second_share = first.mass() / mass;

  const float overlap =
      first.radius + second.radius - dot(second.position - first.position, contact.normal);
  const Vector apart = contact.normal * (separation * overlap);
  first.position -= apart * first_share;
  second.position += apart * second_share;

  if (contact.approach_speed <= 0) return;
  const Vector change = contact.normal * ((1 + restitution) * contact.approach_speed);
  first.velocity -= change * first_share;
  second.velocity += change * second_share;
}

}  // namespace ringcast::arena
