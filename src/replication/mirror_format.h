// The numbers of what cores tell each other of a tick. Both sides are this program, so there is no
// more of a format than these and the two files that use them.
#pragma once

namespace ringcast::replication::mirror {

inline constexpr unsigned id_bits = 32;
inline constexpr unsigned byte_bits = 8;
inline constexpr unsigned count_order = 4;
inline constexpr unsigned gap_order = 2;
inline constexpr unsigned change_order = 2;
/// Of the residuals, for all objects: the quiet many and the few that turn.
inline constexpr unsigned residual_parameter = 0;

}  // namespace ringcast::replication::mirror
