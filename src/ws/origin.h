// Whose pages may connect: an Origin as browsers send it (RFC 6454 section 6.2, and the WHATWG URL
// standard for its host) against a list of those that are allowed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ringcast::ws {

/// scheme://host[:port], in one spelling: lower case, without the scheme's own port.
struct Origin {
  std::string scheme;
  std::string host;                   ///< an IPv6 address with its brackets
  std::optional<std::uint16_t> port;  ///< none: the scheme's own

  /// Otherwise why it is none that a browser sends, as half a sentence.
  [[nodiscard]] static Result<Origin> parse(std::string_view text);

  friend bool operator==(const Origin&, const Origin&) = default;
};

/// An entry of the list of those that are allowed.
class AllowedOrigin {
 public:
  /// "https://example.org", "https://*.example.org" for all of its subdomains (not itself), "null"
  /// for pages that have none, such as those of files, or "*" for everybody. Fails for what no
  /// page's Origin will ever be equal to, with a sentence that begins with a quotation of it.
  [[nodiscard]] static Result<AllowedOrigin> parse(std::string_view text);

  [[nodiscard]] bool allows_everybody() const { return kind_ == Kind::everybody; }
  [[nodiscard]] bool allows_opaque() const { return kind_ == Kind::opaque; }
  [[nodiscard]] bool allows(const Origin& origin) const;

  friend bool operator==(const AllowedOrigin&, const AllowedOrigin&) = default;

 private:
  enum class Kind : std::uint8_t { everybody, opaque, one, subdomains };

  Kind kind_ = Kind::everybody;
  Origin origin_;  ///< of `one`, or the domain of `subdomains`
};

/// Whether a page of `origin` came from where its request goes to: the same host and port as in
/// `host`, a Host header, over HTTP or, where a proxy is between, HTTPS.
[[nodiscard]] bool is_own_origin(const Origin& origin, std::string_view host);

/// Whether the page with that Origin header may connect to the server that it calls `host`. An
/// empty list allows those that came from there; a missing Origin (empty: not a browser) is
/// allowed.
[[nodiscard]] bool origin_allowed(std::string_view origin, std::string_view host,
                                  std::span<const AllowedOrigin> allowed);

}  // namespace ringcast::ws
