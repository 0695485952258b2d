// Who may ask the admin endpoint. A page in the operator's browser can send it requests, too: by
// the address, with an Origin that is not the endpoint's own, or by a name that its author points
// here, which is then in Host. And whoever may connect can try tokens, but not many.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ip_address.h"
#include "control/admin.h"
#include "room/token_bucket.h"

namespace ringcast::server {

/// What matters of a request.
struct AdminAsked {
  std::string_view method;
  std::string_view target;
  std::uint32_t version = 11;  ///< of HTTP, times ten
  std::size_t host_headers = 1;
  std::string_view host;
  std::size_t origin_headers = 0;
  std::string_view origin;
  /// Of what browsers say beside it (Fetch Metadata Request Headers): who had it ask, and for what;
  /// empty where they don't.
  std::string_view fetch_site = {};
  std::string_view fetch_dest = {};
  std::string_view authorization;
  std::string_view content_type;
  bool has_body = false;
  std::optional<IpAddress> from = std::nullopt;  ///< nothing: it has hung up
  std::optional<IpAddress> here = std::nullopt;  ///< the address that it connected to
};

/// Whether `host`, a Host header's value, is this machine as seen from itself, the address `here`,
/// or one of `names`; any port. Nobody else can have a browser send that for a page of theirs.
[[nodiscard]] bool is_own_host(std::string_view host, const std::optional<IpAddress>& here,
                               std::span<const std::string> names);
/// Whether a page of `origin` (RFC 6454 section 7) came from where it sends a request to: the same
/// host and port as in `host`, over HTTP or, where a proxy is between, HTTPS.
[[nodiscard]] bool is_own_origin(std::string_view origin, std::string_view host);
/// A host's name as `admin_hosts` has it: no scheme, no port.
[[nodiscard]] bool is_host_name(std::string_view text);

class AdminGate {
 public:
  /// Wrong tokens from one address (of IPv6 the first 64 bits; all of loopback is one), and from
  /// all but loopback together: so many at once, and then so many a second.
  static constexpr std::uint32_t guesses_burst = 20;
  static constexpr std::uint32_t guesses_per_second = 1;
  static constexpr std::uint32_t all_guesses_burst = 200;
  static constexpr std::uint32_t all_guesses_per_second = 10;

  /// Nothing when the request may be answered, or what it gets instead. Also counts its guess.
  [[nodiscard]] std::optional<AdminAnswer> refusal(const AdminAsked& asked, const AdminView& view,
                                                   Instant now);

 private:
  [[nodiscard]] bool may_guess(const IpAddress& from, Instant now);
  void count_guess(const IpAddress& from, Instant now);

  std::map<std::array<std::byte, 16>, room::TokenBucket> guesses_;
  room::TokenBucket all_guesses_;
};

}  // namespace ringcast::server
