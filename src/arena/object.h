// What is in the arena: discs with a place, a velocity and a size. Only operations that IEEE 754
// rounds exactly are used on them (no sine, no power): a seed replays bit by bit on any machine.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "ringcast/simulation.h"

namespace ringcast::arena {

struct Vector {
  float x = 0;
  float y = 0;

  friend Vector operator+(Vector a, Vector b) { return {a.x + b.x, a.y + b.y}; }
  friend Vector operator-(Vector a, Vector b) { return {a.x - b.x, a.y - b.y}; }
  friend Vector operator*(Vector a, float factor) { return {a.x * factor, a.y * factor}; }
  Vector& operator+=(Vector other) { return *this = *this + other; }
  Vector& operator-=(Vector other) { return *this = *this - other; }
};

[[nodiscard]] inline float dot(Vector a, Vector b) {
  return a.x * b.x + a.y * b.y;
}
[[nodiscard]] inline float length(Vector a) {
  return std::sqrt(dot(a, a));
}
/// A quarter turn.
[[nodiscard]] inline Vector across(Vector a) {
  return {-a.y, a.x};
}
/// The direction of `a`, or `otherwise` where it has none.
[[nodiscard]] inline Vector direction(Vector a, Vector otherwise) {
  const float size = length(a);
  return size > 0 ? a * (1 / size) : otherwise;
}

enum class Kind : std::uint8_t {
  player,
  bot,
  fragment,
  attractor  ///< a place that draws bots; nobody sees it
};

/// Never given twice in one world; 0 is no object.
enum class ObjectId : std::uint32_t {};

/// What a player is called: UTF-8, filled up with zeros.
using Name = std::array<char, 15>;

struct Object {
  ObjectId id{};
  Kind kind = Kind::bot;
  bool away = false;         ///< of a player: its member's connection is lost
  bool gone = false;         ///< to be removed at the end of the step
  ObjectId absorbed_by{};    ///< when gone
  MemberId member{};         ///< of a player
  Vector position{};         ///< of the centre, units
  Vector velocity{};         ///< units per second
  Vector heading{};          ///< where it wants to go: at most 1 long
  std::uint32_t goal = 0;    ///< of a bot: the index of an attractor
  float turn = 0;            ///< of the heading, radians per second
  float radius = 0;          ///< units
  float natural_radius = 0;  ///< what the radius returns to
  float age = 0;             ///< seconds since it was made or last lost a fragment
  std::uint32_t score = 0;   ///< fragments that it has absorbed
  Name name{};               ///< of a player

  /// Whether members see it: what is not replicated is in no snapshot and in no event.
  [[nodiscard]] bool replicated() const { return kind != Kind::attractor; }
  [[nodiscard]] float mass() const { return radius * radius; }
};

}  // namespace ringcast::arena
