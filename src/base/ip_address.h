// IP addresses and networks as limits and trust compare them. An IPv4 address and the same one
// mapped into IPv6 (::ffff:192.0.2.1, RFC 4291 section 2.5.5.2: what a listener of both families
// reports) are one value; ports are left out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ringcast {

class IpAddress {
 public:
  static constexpr std::uint32_t bits = 128;
  /// Bits before those of a mapped IPv4 address.
  static constexpr std::uint32_t mapped_bits = 96;

  /// The unspecified address `::`.
  IpAddress() = default;
  /// In network byte order, likewise the next.
  explicit IpAddress(std::span<const std::byte, 4> ipv4);
  explicit IpAddress(std::span<const std::byte, 16> ipv6);
  /// "192.0.2.1" or "2001:db8::1"; nothing when it is neither.
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);

  [[nodiscard]] bool is_ipv4() const;
  /// As parse() takes it; a mapped address as the IPv4 address that it is.
  [[nodiscard]] std::string text() const;
  /// The same with all but the first `count` of its 128 bits 0.
  [[nodiscard]] IpAddress first_bits(std::uint32_t count) const;
  /// Of IPv6 or mapped, in network byte order.
  [[nodiscard]] const std::array<std::byte, 16>& bytes() const { return bytes_; }

  friend bool operator==(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<std::byte, 16> bytes_{};
};

/// The addresses that begin with the same bits; a single one is a network, too.
class IpNetwork {
 public:
  /// "192.0.2.1", "192.0.2.0/24", "2001:db8::/32". Otherwise a sentence that begins with what was
  /// given.
  [[nodiscard]] static Result<IpNetwork> parse(std::string_view text);

  /// An IPv6 network has no IPv4 addresses in it, not even `::/0`.
  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] std::string text() const;

  friend bool operator==(const IpNetwork&, const IpNetwork&) = default;

 private:
  IpNetwork(const IpAddress& first, std::uint32_t prefix) : first_(first), prefix_(prefix) {}
  [[nodiscard]] bool is_ipv4() const {
    return prefix_ >= IpAddress::mapped_bits && first_.is_ipv4();
  }

  IpAddress first_;
  std::uint32_t prefix_;  ///< of 128 bits, also for IPv4
};

}  // namespace ringcast
