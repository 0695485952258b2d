#include "session.h"

#include <openssl/evp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace ringcast::floor {
namespace {

/// Sec-WebSocket-Accept, RFC 6455 section 4.2.2.
std::string accept_value(std::string_view key) {
  const std::string salted = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int digest_bytes = 0;
  EVP_Digest(salted.data(), salted.size(), digest.data(), &digest_bytes, EVP_sha1(), nullptr);
  std::array<unsigned char, 2 * std::size_t{EVP_MAX_MD_SIZE}> text{};
  const int text_bytes =
      EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(digest_bytes));
  return {reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(text_bytes)};
}

/// The value of a header field, or nothing when the head has none.
std::string_view field(std::string_view head, std::string_view name_and_colon) {
  const auto same = [](char left, char right) {
    return std::tolower(static_cast<unsigned char>(left)) ==
           std::tolower(static_cast<unsigned char>(right));
  };
  const auto found =
      std::search(head.begin(), head.end(), name_and_colon.begin(), name_and_colon.end(), same);
  if (found == head.end()) return {};
  head.remove_prefix(static_cast<std::size_t>(found - head.begin()) + name_and_colon.size());
  head = head.substr(0, head.find("\r\n"));
  head.remove_prefix(std::min(head.find_first_not_of(' '), head.size()));
  return head;
}

/// A client's frame with this first byte is its goodbye: FIN and opcode 8 (RFC 6455 section 5.2).
constexpr char close_frame_first_byte = static_cast<char>(0x88);
constexpr std::size_t head_bytes_max = 8'192;

}  // namespace

void Sessions::open(int descriptor) {
  Session& session = (*this)[descriptor];
  session = {};
  session.open = true;
}

void Sessions::close(int descriptor) {
  Session& session = (*this)[descriptor];
  if (session.upgraded) {
    ++counts.closed;
    members_[session.member_index] = members_.back();
    (*this)[members_.back()].member_index = session.member_index;
    members_.pop_back();
  }
  session = {};
}

bool Sessions::take(int descriptor, std::string_view bytes, std::string_view welcome) {
  Session& session = (*this)[descriptor];
  if (session.upgraded) return bytes.front() != close_frame_first_byte;
  session.head += bytes;
  if (session.head.size() > head_bytes_max) return false;
  if (!session.head.ends_with("\r\n\r\n")) return true;
  const std::string_view key = field(session.head, "\r\nSec-WebSocket-Key:");
  if (key.empty()) return false;
  const std::string answer =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Protocol: ringcast.v1\r\nSec-WebSocket-Accept: " +
      accept_value(key) + "\r\n\r\n" + std::string(welcome);
  // A fresh socket has room for this.
  const auto sent = ::send(descriptor, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(answer.size())) return false;
  session.head = {};
  session.upgraded = true;
  session.member_index = members_.size();
  members_.push_back(descriptor);
  return true;
}

bool Sessions::settle(int descriptor) {
  std::string& owed = (*this)[descriptor].owed;
  if (owed.empty()) return true;
  const auto sent = ::send(descriptor, owed.data(), owed.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0) owed.erase(0, static_cast<std::size_t>(sent));
  return owed.empty();
}

}  // namespace ringcast::floor
