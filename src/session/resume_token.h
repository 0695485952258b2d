// Resume tokens: what a client presents to be its member again, after a lost connection or a
// restart of the server. A room::Ticket and a code over it, the room's name and whose it is that
// only who has the room's key can make (HMAC-SHA-256, RFC 2104, cut to 128 bits). The key is drawn
// when the room begins and kept with its state for as long as the room lives: a room of the same
// name that begins anew has another. Only the room's home makes and checks tokens; which are spent,
// the room knows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ringcast/simulation.h"
#include "room/ticket.h"

namespace ringcast::server {

using ResumeKey = std::array<std::byte, 32>;
using ResumeToken = std::array<std::byte, 28>;

/// What a room makes tokens with.
struct ResumeSecrets {
  ResumeKey key;
  std::uint32_t run;  ///< room::Ticket::run of who joins from now on
};

/// From the kernel's random numbers (getrandom(2)); nothing when they can't be had.
[[nodiscard]] std::optional<ResumeSecrets> draw_resume_secrets();

/// Where a token is good, and for whom.
struct ResumeScope {
  std::string_view room;
  std::string_view subject = {};  ///< of its identity; empty without one
};

[[nodiscard]] ResumeToken make_resume_token(const ResumeKey& key, const ResumeScope& scope,
                                            const room::Ticket& ticket);
/// Nothing when the token was not made with this key for this scope. Takes the same time whatever
/// is wrong with a code.
[[nodiscard]] std::optional<room::Ticket> read_resume_token(const ResumeKey& key,
                                                            const ResumeScope& scope,
                                                            const ResumeToken& token);

/// What a client that comes back says in its request.
struct ResumeClaim {
  ResumeToken token{};
  std::optional<std::uint64_t> seen_event;  ///< position of the newest event that it has
};

/// As it travels: TOKEN in base64url, and, when the client says what it has seen, "." and a decimal
/// number. Nothing when `text` is no such thing.
[[nodiscard]] std::optional<ResumeClaim> parse_resume_claim(std::string_view text);

}  // namespace ringcast::server
