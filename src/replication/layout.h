// A schema as integers: what an object's values are, how many bits each takes, how space is cut.
// The server makes it from what a simulation declares, a client from the bytes that describe()
// gives.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ringcast/replication.h"

namespace ringcast::replication {

inline constexpr unsigned dimensions_max = 3;
inline constexpr unsigned fields_max = 32;
inline constexpr unsigned values_max = dimensions_max + fields_max;
inline constexpr unsigned classes_max = 64;
inline constexpr std::uint32_t quanta_max = 1U << 30;
/// A cell's edge is never cut below this many quanta; a crowd within is told apart by its ids.
inline constexpr unsigned smallest_cell_bits = 4;
inline constexpr unsigned level_bits = 5;
inline constexpr unsigned levels_max = 31;
inline constexpr std::size_t roots_max = 65'536;

/// One integer of an object: 0 to `most`.
struct Value {
  std::uint32_t most = 0;
  std::uint8_t bits = 0;  ///< that hold `most`
  Field::Kind kind = Field::Kind::real;
};

/// Which of an object's values a receiver gets: its moving and its steady ones, by index.
struct Selection {
  std::vector<std::uint8_t> moving{};
  std::vector<std::uint8_t> steady{};
};

struct ClassLayout {
  std::string name;
  std::vector<Field> fields{};
  std::vector<Value> values{};  ///< the axes first, then the fields
  Selection everyone{};
  Selection owner{};  ///< everyone's and the owner's

  [[nodiscard]] const Selection& selection(bool owned) const { return owned ? owner : everyone; }
};

struct Layout {
  Space space{};
  std::vector<ClassLayout> classes{};
  std::vector<std::string> reasons{};
  unsigned layers = 1;
  unsigned history_ticks = 31;
  unsigned digest_every_ticks = 0;
  Overview overview{};
  std::vector<Ring> rings{};

  // What follows from the above.
  unsigned dimensions = 2;
  std::array<Value, dimensions_max> axes{};
  unsigned root_bits = 0;  ///< of the edge of a cell of level 0, in quanta
  std::array<std::uint32_t, dimensions_max> roots{1, 1, 1};
  std::array<unsigned, dimensions_max> root_index_bits{};
  unsigned place_levels = 0;  ///< further levels split by id
  unsigned class_bits = 0;
  unsigned layer_bits = 0;
  unsigned values = 0;  ///< the most that a class has

  /// One sentence on what is wrong with the schema, or its layout.
  [[nodiscard]] static Result<Layout> make(const Schema& schema);
  /// What a client is told once (docs/replication.md#schema).
  [[nodiscard]] std::vector<std::byte> describe() const;
  [[nodiscard]] static Result<Layout> read(std::span<const std::byte> description);

  /// The most bits that one object can take when it enters.
  [[nodiscard]] std::size_t entering_bits_max() const;
  /// A value as what it stands for, in a class's own order: the axes first.
  [[nodiscard]] double real(unsigned object_class, unsigned value, std::int32_t quanta) const;

 private:
  [[nodiscard]] Result<void> derive(unsigned root_bits_wanted, std::size_t roots_most);
};

}  // namespace ringcast::replication
