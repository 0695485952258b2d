// Addresses to listen on, as a person writes them: "127.0.0.1:9000", "[::1]:9000" or ":9000" (every
// address of both families); port 0 lets the kernel choose. Opens nothing and asks no resolver.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string_view>

#include "base/result.h"

namespace ringcast {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  bool both_families = false;

  /// Nothing when it is none of the forms above.
  [[nodiscard]] static std::optional<SocketAddress> parse(std::string_view text);
};

/// Whether SocketAddress::parse() takes it; the error is one sentence that says what it would take.
[[nodiscard]] Result<void> check_listen_address(std::string_view text);

}  // namespace ringcast
