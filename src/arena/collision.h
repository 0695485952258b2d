// Two discs meet: they are pushed apart, and bounce when they were approaching.
#pragma once

#include "arena/object.h"

namespace ringcast::arena {

struct Contact {
  bool touching;
  Vector normal;         ///< from the first to the second, of length 1
  float approach_speed;  ///< at which they met, units per second; not above 0 when they part
};

[[nodiscard]] Contact contact(const Object& first, const Object& second);

/// Conserves momentum and the centre of mass, and loses some energy.
void bounce(Object& first, Object& second, const Contact& contact);

}  // namespace ringcast::arena
