#include "load/handshake.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

#include "ws/http_text.h"
#include "ws/upgrade.h"

namespace ringcast::load {
namespace {

constexpr std::size_t head_bytes_max = 16'384;
constexpr std::string_view line_end = "\r\n";

/// The value of the first field of that name; empty when there is none.
std::string_view field(std::string_view head, std::string_view name) {
  for (;;) {
    const auto end = head.find(line_end);
    if (end == std::string_view::npos) return {};
    head.remove_prefix(end + line_end.size());
    const std::string_view line = head.substr(0, head.find(line_end));
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && ws::equal_ignoring_case(line.substr(0, colon), name)) {
      return ws::trimmed(line.substr(colon + 1));
    }
  }
}

std::string refusal(std::string_view head, std::string_view key, bool require_protocol) {
  const std::string_view status_line = head.substr(0, head.find(line_end));
  if (!status_line.starts_with("HTTP/1.1 101")) {
    return fmt::format("the server answered \"{}\"", status_line);
  }
  if (!ws::equal_ignoring_case(field(head, "Upgrade"), "websocket") ||
      !ws::has_element(field(head, "Connection"), "upgrade")) {
    return "the server's 101 does not upgrade to websocket";
  }
  if (field(head, "Sec-WebSocket-Accept") != ws::accept_value(key)) {
    return "the server's Sec-WebSocket-Accept does not fit the key";
  }
  if (!field(head, "Sec-WebSocket-Extensions").empty()) {
    return "the server chose an extension that was not offered";
  }
  const std::string_view protocol = field(head, "Sec-WebSocket-Protocol");
  if (protocol != ws::subprotocol && (require_protocol || !protocol.empty())) {
    return fmt::format("the server does not speak {} there", ws::subprotocol);
  }
  return {};
}

}  // namespace

std::string websocket_key(std::uint64_t high, std::uint64_t low) {
  std::array<unsigned char, 16> bytes{};
  for (std::size_t index = 0; index < 8; ++index) {
    bytes[index] = static_cast<unsigned char>(high >> (8 * index));
    bytes[index + 8] = static_cast<unsigned char>(low >> (8 * index));
  }
  std::array<unsigned char, 25> text{};
  const int size = EVP_EncodeBlock(text.data(), bytes.data(), bytes.size());
  return {reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(size)};
}

std::string upgrade_request(const Url& url, std::string_view key, std::string_view resume_claim) {
  std::string offers(ws::subprotocol);
  if (!resume_claim.empty()) offers += fmt::format(", {}{}", ws::resume_offer, resume_claim);
  return fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
      url.path, url.authority, key, offers);
}

std::optional<UpgradeAnswer> judge_answer(std::string_view received, std::string_view key,
                                          bool require_protocol) {
  const auto end = received.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (received.size() < head_bytes_max) return std::nullopt;
    return UpgradeAnswer{received.size(), "the server's answer has no end"};
  }
  const std::size_t head_bytes = end + 4;
  return UpgradeAnswer{head_bytes, refusal(received.substr(0, head_bytes), key, require_protocol)};
}

}  // namespace ringcast::load
