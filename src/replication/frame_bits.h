// The numbers of the format that those who write and those who read share, and the address by which
// a client is told a cell. docs/replication.md#on-the-wire is the same in words.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "replication/bits.h"
#include "replication/cells.h"
#include "replication/layout.h"

namespace ringcast::replication {

/// The orders of the Exp-Golomb codes.
namespace order {
inline constexpr unsigned count = 0;
inline constexpr unsigned gap = 2;       ///< between positions in a list
inline constexpr unsigned id_gap = 8;    ///< between ids
inline constexpr unsigned residual = 1;  ///< of an object that is known from another cell
inline constexpr unsigned velocity = 4;
inline constexpr unsigned bend = 1;
inline constexpr unsigned change = 2;    ///< of a steady real
inline constexpr unsigned overview = 3;  ///< of how many objects there are in a field
}  // namespace order

inline constexpr unsigned reason_bits = 8;
inline constexpr unsigned tick_low_bits = 32;
inline constexpr unsigned tick_high_bits = 16;
inline constexpr unsigned overview_row_bits = 6;
inline constexpr unsigned digest_bits = 32;

[[nodiscard]] constexpr std::size_t count_bits(std::uint32_t count) {
  return 2 * static_cast<std::size_t>(std::bit_width(std::uint64_t{count} + 1)) - 1;
}

[[nodiscard]] inline std::size_t address_bits_max(const Layout& layout) {
  std::size_t bits = level_bits + layout.layer_bits + 32;
  for (unsigned i = 0; i < layout.dimensions; ++i) {
    bits += layout.root_index_bits[i] + layout.place_levels;
  }
  return bits;
}

inline void write_address(BitWriter& out, const Layout& layout, const CellAddress& address,
                          unsigned layer) {
  const unsigned place_level = std::min(address.level, layout.place_levels);
  out.put(address.level, level_bits);
  for (unsigned i = 0; i < layout.dimensions; ++i) {
    out.put(address.place[i], layout.root_index_bits[i] + place_level);
  }
  out.put(address.path, (address.level - place_level) * layout.dimensions);
  out.put(layer, layout.layer_bits);
}

}  // namespace ringcast::replication
