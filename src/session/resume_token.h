// Resume tokens: what a client presents after a restart of the server to be its old member again.
// The member's id and a code over room and id that only who has the key can make (HMAC-SHA-256, RFC
// 2104, cut to 128 bits). The key is drawn at each shutdown and kept with the room, so that every
// core can make tokens for its own members and no token has to travel. A token is good once: its
// member is then no longer awaited.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "ringcast/simulation.h"

namespace ringcast::server {

using ResumeKey = std::array<std::byte, 32>;
using ResumeToken = std::array<std::byte, 20>;

/// From the kernel's random numbers (getrandom(2)); nothing when they can't be had.
[[nodiscard]] std::optional<ResumeKey> make_resume_key();
[[nodiscard]] ResumeToken make_resume_token(const ResumeKey& key, std::string_view room,
                                            MemberId member);
/// The member that `hexadecimal` stands for; nothing when it was not made with this key for this
/// room. Takes the same time whatever is wrong with a code.
[[nodiscard]] std::optional<MemberId> read_resume_token(const ResumeKey& key, std::string_view room,
                                                        std::string_view hexadecimal);
/// The value of `resume` in a query such as "a=b&resume=00ff"; empty when there is none.
[[nodiscard]] std::string_view resume_in_query(std::string_view query);

}  // namespace ringcast::server
