// The header by which a proxy says whose connection it forwards: PROXY protocol version 2, the
// binary one (section 2.2 of HAProxy's proxy-protocol.txt). It stands before everything that the
// client sends. Sixteen fixed bytes tell how long the rest is: two addresses, then TLVs, which are
// skipped.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/ip_address.h"

namespace ringcast::proxy {

/// Of a whole header. HAProxy's own with every TLV that it can send is below it.
inline constexpr std::size_t header_bytes_max = 4'096;

enum class Malformed : std::uint8_t {
  no_signature,   ///< it begins with something else
  version_1,      ///< the protocol's text form
  version,        ///< neither 1 nor 2
  command,        ///< neither LOCAL nor PROXY
  family,         ///< not TCP over IPv4 or IPv6, nor UNSPEC
  addresses_cut,  ///< too short for the addresses of its family
  too_long        ///< over header_bytes_max
};
/// A few words, static storage.
[[nodiscard]] std::string_view words_for(Malformed why);

/// Collects one header. Allocates nothing; any split gives the same answer.
class HeaderParser {
 public:
  enum class State : std::uint8_t { need_more, done, malformed };

  /// Feeds bytes; call until it is not need_more any more. On `done`, bytes_taken() of the bytes of
  /// this call belonged to the header; the rest is the client's.
  State feed(std::span<const std::byte> bytes);

  [[nodiscard]] std::size_t bytes_taken() const { return taken_; }
  /// When done: the client's address. None when there is no client (LOCAL: the proxy's own
  /// connection, such as a health check) or the proxy does not know (UNSPEC).
  [[nodiscard]] const std::optional<IpAddress>& client() const { return client_; }
  [[nodiscard]] Malformed why() const { return why_; }

 private:
  static constexpr std::size_t fixed_bytes = 16;
  static constexpr std::size_t kept_bytes_max = fixed_bytes + 36;  // with two IPv6 addresses

  void take(std::span<const std::byte> bytes, std::size_t until);
  [[nodiscard]] std::optional<Malformed> judge();
  [[nodiscard]] std::size_t announced_bytes() const;
  void read_client();

  std::array<std::byte, kept_bytes_max> kept_{};  // the header's beginning
  std::size_t received_ = 0;                      // of the header
  std::size_t whole_ = 0;                         // the header; once its fixed bytes have told
  std::size_t address_bytes_ = 0;                 // of the client's; 0: none is told
  std::size_t taken_ = 0;
  std::optional<IpAddress> client_;
  Malformed why_{};
};

}  // namespace ringcast::proxy
