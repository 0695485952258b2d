#include "proxy/proxy_header.h"

#include <algorithm>

namespace ringcast::proxy {
namespace {

constexpr auto signature = std::to_array<unsigned char>(
    {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A});
constexpr std::string_view version_1_begins = "PROXY ";

constexpr std::size_t version_at = 12;  // and the command, in its lower half
constexpr std::size_t family_at = 13;   // and the transport
constexpr std::size_t length_at = 14;   // of what follows, big-endian

constexpr std::byte version_2{0x20};
constexpr std::byte upper_half{0xf0};
constexpr std::byte lower_half{0x0f};
constexpr std::byte local{0};
constexpr std::byte proxied{1};
constexpr std::byte unspecified{0x00};
constexpr std::byte tcp_over_ipv4{0x11};
constexpr std::byte tcp_over_ipv6{0x21};

constexpr std::size_t ipv4_bytes = 4;
constexpr std::size_t ipv6_bytes = 16;
constexpr std::size_t port_bytes = 2;

bool begins_with(std::span<const std::byte> bytes, std::span<const std::byte> beginning) {
  return std::ranges::equal(bytes.first(beginning.size()), beginning);
}

}  // namespace

std::string_view words_for(Malformed why) {
  switch (why) {
    case Malformed::no_signature:
      return "there is none";
    case Malformed::version_1:
      return "it is version 1, and must be 2";
    case Malformed::version:
      return "its version is not 2";
    case Malformed::command:
      return "its command is unknown";
    case Malformed::family:
      return "it is not about TCP over IPv4 or IPv6";
    case Malformed::addresses_cut:
      return "its addresses are cut off";
    case Malformed::too_long:
      return "it is too long";
  }
  return {};
}

HeaderParser::State HeaderParser::feed(std::span<const std::byte> bytes) {
  taken_ = 0;
  take(bytes, fixed_bytes);
  if (received_ < fixed_bytes) return State::need_more;
  if (whole_ == 0) {
    if (const auto why = judge()) {
      why_ = *why;
      return State::malformed;
    }
    whole_ = fixed_bytes + announced_bytes();
  }
  take(bytes, whole_);
  if (received_ < whole_) return State::need_more;
  read_client();
  return State::done;
}

/// Until `until` bytes of the header have come, as far as there are any.
void HeaderParser::take(std::span<const std::byte> bytes, std::size_t until) {
  const std::span<const std::byte> rest = bytes.subspan(taken_);
  const std::size_t count = std::min(rest.size(), until - std::min(until, received_));
  const std::size_t room = kept_.size() - std::min(kept_.size(), received_);
  std::ranges::copy(rest.first(std::min(count, room)),
                    kept_.begin() + static_cast<std::ptrdiff_t>(kept_.size() - room));
  received_ += count;
  taken_ += count;
}

std::size_t HeaderParser::announced_bytes() const {
  return std::to_integer<std::size_t>(kept_[length_at]) << 8 |
         std::to_integer<std::size_t>(kept_[length_at + 1]);
}

/// The fixed part, which is there. A mistake in it has no other place to be: where the header ends
/// would be a guess.
std::optional<Malformed> HeaderParser::judge() {
  const std::span<const std::byte> fixed = std::span(kept_).first<fixed_bytes>();
  if (!begins_with(fixed, std::as_bytes(std::span(signature)))) {
    return begins_with(fixed, std::as_bytes(std::span(version_1_begins))) ? Malformed::version_1
                                                                          : Malformed::no_signature;
  }
  if ((fixed[version_at] & upper_half) != version_2) return Malformed::version;
  const std::byte command = fixed[version_at] & lower_half;
  if (command != local && command != proxied) return Malformed::command;
  if (fixed_bytes + announced_bytes() > header_bytes_max) return Malformed::too_long;
  // "discard the protocol block including the family which is ignored" (section 2.2).
  if (command == local) return std::nullopt;

  const std::byte family = fixed[family_at];
  if (family == tcp_over_ipv4) {
    address_bytes_ = ipv4_bytes;
  } else if (family == tcp_over_ipv6) {
    address_bytes_ = ipv6_bytes;
  } else if (family != unspecified) {
    return Malformed::family;
  }
  const std::size_t both = address_bytes_ == 0 ? 0 : 2 * (address_bytes_ + port_bytes);
  if (announced_bytes() < both) return Malformed::addresses_cut;
  return std::nullopt;
}

/// The source comes first.
void HeaderParser::read_client() {
  const std::span<const std::byte> behind = std::span(kept_).subspan<fixed_bytes>();
  if (address_bytes_ == ipv4_bytes) client_ = IpAddress(behind.first<ipv4_bytes>());
  if (address_bytes_ == ipv6_bytes) client_ = IpAddress(behind.first<ipv6_bytes>());
}

}  // namespace ringcast::proxy
