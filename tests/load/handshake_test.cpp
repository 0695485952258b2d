#include "load/handshake.h"

#include "catch.h"

namespace ringcast::load {
namespace {

// The example of RFC 6455 section 1.3.
constexpr std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view good =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    "Sec-WebSocket-Protocol: ringcast.v1\r\n\r\n";

std::string with(std::string_view from, std::string_view to) {
  std::string changed(good);
  changed.replace(changed.find(from), from.size(), to);
  return changed;
}

std::string refusal_of(std::string_view answer, bool require_protocol = true) {
  const auto judged = judge_answer(answer, key, require_protocol);
  REQUIRE(judged.has_value());
  return judged->refusal;
}

TEST_CASE("the request names the room, the key and the subprotocol") {
  const Url url{.host = "::1", .port = 9000, .path = "/rooms/arena", .authority = "[::1]:9000"};
  const std::string request = upgrade_request(url, key);
  CHECK(request.starts_with("GET /rooms/arena HTTP/1.1\r\nHost: [::1]:9000\r\n"));
  CHECK(request.find("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n") != std::string::npos);
  CHECK(request.find("Sec-WebSocket-Protocol: ringcast.v1\r\n") != std::string::npos);
  CHECK(request.ends_with("\r\n\r\n"));
}

TEST_CASE("a key is sixteen bytes in base64") {
  CHECK(websocket_key(0, 0) == "AAAAAAAAAAAAAAAAAAAAAA==");
  CHECK(websocket_key(1, 0) != websocket_key(0, 1));
}

TEST_CASE("an answer is judged once its head is complete, and frames may follow it") {
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(judge_answer(good.substr(0, size), key, true).has_value());
  }
  const auto judged = judge_answer(std::string(good) + "frames", key, true);
  REQUIRE(judged.has_value());
  CHECK(judged->refusal.empty());
  CHECK(judged->head_bytes == good.size());
}

TEST_CASE("an answer that is not the upgrade asked for is refused with its reason") {
  CHECK(refusal_of("HTTP/1.1 404 Not Found\r\n\r\n").find("404 Not Found") != std::string::npos);
  CHECK_FALSE(refusal_of(with("websocket", "h2c")).empty());
  CHECK_FALSE(refusal_of(with("Connection: Upgrade", "Connection: close")).empty());
  CHECK(refusal_of(with("s3pP", "S3pP")).find("Accept") != std::string::npos);
  CHECK_FALSE(refusal_of(with("ringcast.v1", "chat")).empty());
  CHECK_FALSE(
      refusal_of(with("Upgrade: websocket", "Upgrade: websocket\r\nSec-WebSocket-Extensions: x"))
          .empty());
  CHECK(refusal_of(with("Connection: Upgrade", "Connection: keep-alive , upgrade")).empty());
}

TEST_CASE("only a client that needs the subprotocol insists on it") {
  const std::string without = with("Sec-WebSocket-Protocol: ringcast.v1\r\n", "");
  CHECK_FALSE(refusal_of(without, true).empty());
  CHECK(refusal_of(without, false).empty());
  CHECK_FALSE(refusal_of(with("ringcast.v1", "chat"), false).empty());
}

TEST_CASE("an answer without an end is given up") {
  CHECK_FALSE(refusal_of(std::string(20'000, 'x')).empty());
}

}  // namespace
}  // namespace ringcast::load
