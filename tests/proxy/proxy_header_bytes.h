// Headers of PROXY protocol version 2 as a proxy writes them, right or wrong.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace ringcast::proxy {

using Bytes = std::vector<std::byte>;

inline constexpr unsigned local = 0x20;  ///< version and command
inline constexpr unsigned proxied = 0x21;
inline constexpr unsigned unspecified = 0x00;  ///< family and transport
inline constexpr unsigned tcp_over_ipv4 = 0x11;
inline constexpr unsigned tcp_over_ipv6 = 0x21;

inline Bytes text(std::string_view characters) {
  const auto bytes = std::as_bytes(std::span(characters));
  return {bytes.begin(), bytes.end()};
}

inline Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

/// Numbers as bytes.
inline Bytes bytes_of(std::initializer_list<unsigned> numbers) {
  Bytes bytes;
  for (const unsigned number : numbers) bytes.push_back(static_cast<std::byte>(number));
  return bytes;
}

/// 192.0.2.33:4660 to 198.51.100.1:443, [2001:db8::21]:4660 to [2001:db8::1]:443, and the first two
/// as ::ffff:192.0.2.33 to ::ffff:198.51.100.1.
inline const Bytes ipv4_addresses = bytes_of({192, 0, 2, 33, 198, 51, 100, 1, 0x12, 0x34, 1, 0xbb});
inline const Bytes ipv6_addresses =
    bytes_of({0x20, 1,    0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0x21, 0x20, 1,
              0xd,  0xb8, 0,   0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x12, 0x34, 1,    0xbb});
inline const Bytes mapped_addresses =
    bytes_of({0, 0, 0, 0, 0, 0, 0, 0, 0,    0,    0xff, 0xff, 192, 0, 2,    33,   0, 0,
              0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198,  51,   100, 1, 0x12, 0x34, 1, 0xbb});
/// PP2_TYPE_AUTHORITY "play.example" and an empty PP2_TYPE_NOOP.
inline const Bytes tlvs = bytes_of({0x02, 0, 12}) + text("play.example") + bytes_of({0x04, 0, 0});

/// `first` is version and command, `behind` what the length counts.
inline Bytes header(unsigned first, unsigned family, const Bytes& behind) {
  return bytes_of({0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, first,
                   family, static_cast<unsigned>(behind.size() >> 8 & 0xff),
                   static_cast<unsigned>(behind.size() & 0xff)}) +
         behind;
}

}  // namespace ringcast::proxy
