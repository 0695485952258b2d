#include "base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace ringcast {
namespace {

constexpr std::size_t mapped_bytes = IpAddress::mapped_bits / 8;
constexpr std::array<std::byte, mapped_bytes> mapped_prefix{
    {{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, std::byte{0xff}, std::byte{0xff}}};

}  // namespace

IpAddress::IpAddress(std::span<const std::byte, 4> ipv4) {
  std::ranges::copy(mapped_prefix, bytes_.begin());
  std::ranges::copy(ipv4, bytes_.begin() + mapped_bytes);
}

IpAddress::IpAddress(std::span<const std::byte, 16> ipv6) {
  std::ranges::copy(ipv6, bytes_.begin());
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  std::array<std::byte, 4> ipv4{};
  if (::inet_pton(AF_INET, terminated.c_str(), ipv4.data()) == 1) return IpAddress(ipv4);
  std::array<std::byte, 16> ipv6{};
  if (::inet_pton(AF_INET6, terminated.c_str(), ipv6.data()) == 1) return IpAddress(ipv6);
  return std::nullopt;
}

bool IpAddress::is_ipv4() const {
  return std::ranges::equal(std::span(bytes_).first<mapped_bytes>(), mapped_prefix);
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool ipv4 = is_ipv4();
  ::inet_ntop(ipv4 ? AF_INET : AF_INET6, bytes_.data() + (ipv4 ? mapped_bytes : 0), text.data(),
              text.size());
  return text.data();
}

IpAddress IpAddress::first_bits(std::uint32_t count) const {
  IpAddress kept = *this;
  for (std::size_t index = count / 8; index < kept.bytes_.size(); ++index) {
    const std::uint32_t here = index == count / 8 ? count % 8 : 0;
    kept.bytes_[index] &= ~(std::byte{0xff} >> here);
  }
  return kept;
}

Result<IpNetwork> IpNetwork::parse(std::string_view text) {
  const std::string quoted = "'" + std::string(text) + "'";
  const auto no_network = [&] {
    return fail(quoted +
                " is neither an address nor a network; write it as 127.0.0.1, 10.0.0.0/8 or "
                "2001:db8::/32");
  };
  const std::size_t slash = text.find('/');
  const std::optional<IpAddress> address = IpAddress::parse(text.substr(0, slash));
  if (!address) return no_network();
  if (slash == std::string_view::npos) return IpNetwork(*address, IpAddress::bits);

  // As it is written: a mapped address counts all of its bits.
  const bool dotted = text.substr(0, slash).find(':') == std::string_view::npos;
  const std::uint32_t before = dotted ? IpAddress::mapped_bits : 0;
  const std::string_view digits = text.substr(slash + 1);
  std::uint8_t prefix = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  if (error != std::errc{} || end != digits.data() + digits.size() ||
      before + prefix > IpAddress::bits) {
    return no_network();
  }
  const IpNetwork network(address->first_bits(before + prefix), before + prefix);
  // Somebody who names a machine and trusts its neighbours means one of the two.
  if (network.first_ != *address) {
    return fail(quoted + " has bits behind its prefix; write " + network.text() + " or " +
                address->text());
  }
  return network;
}

bool IpNetwork::contains(const IpAddress& address) const {
  return is_ipv4() == address.is_ipv4() && address.first_bits(prefix_) == first_;
}

std::string IpNetwork::text() const {
  const std::uint32_t before = is_ipv4() ? IpAddress::mapped_bits : 0;
  return first_.text() + "/" + std::to_string(prefix_ - before);
}

}  // namespace ringcast
