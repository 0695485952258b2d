// The client's side of the upgrade, RFC 6455 section 4.1: the request, and whether the answer may
// be accepted. Bytes only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "load/target.h"

namespace ringcast::load {

/// A Sec-WebSocket-Key of these sixteen bytes.
[[nodiscard]] std::string websocket_key(std::uint64_t high, std::uint64_t low);

/// GET with subprotocol ringcast.v1 offered. `resume_claim`: what a client that comes back says;
/// empty: nothing.
[[nodiscard]] std::string upgrade_request(const Url& url, std::string_view key,
                                          std::string_view resume_claim = {});

struct UpgradeAnswer {
  std::size_t head_bytes = 0;  ///< up to and with the empty line; frames may follow
  std::string refusal;         ///< why the connection can't be used; empty when it can
};

/// Judges what has been received so far; nothing when the head is not complete. `require_protocol`:
/// an answer without the subprotocol is a refusal.
[[nodiscard]] std::optional<UpgradeAnswer> judge_answer(std::string_view received,
                                                        std::string_view key,
                                                        bool require_protocol);

}  // namespace ringcast::load
