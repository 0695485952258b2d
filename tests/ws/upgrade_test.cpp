#include "ws/upgrade.h"

#include <utility>
#include <vector>

#include "catch.h"
#include "ws/bytes.h"

namespace ringcast::ws {
namespace {

using State = UpgradeParser::State;
constexpr std::size_t limit = 8'192;

std::string request(std::string_view line, std::string_view headers) {
  return std::string(line) + "\r\n" + std::string(headers) + "\r\n";
}

constexpr std::string_view handshake =
    "Host: example.com\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n";

/// The handshake with `from` replaced.
std::string changed(std::string_view from, std::string_view to) {
  std::string headers(handshake);
  return headers.replace(headers.find(from), from.size(), to);
}

State feed(UpgradeParser& parser, std::string_view text) {
  return parser.feed(std::as_bytes(std::span(text)));
}

/// What a parser made of `text`, as one line: upgrade NAME, page PATH, head PATH, refused STATUS.
std::string told(const UpgradeParser& parser, State state) {
  switch (state) {
    case State::need_more:
      return "need more";
    case State::upgrade:
      return "upgrade " + parser.upgrade().room;
    case State::page:
      return (parser.asks_head_only() ? "head " : "page ") + parser.page().path;
    case State::refused:
      return "refused " + std::to_string(static_cast<unsigned>(parser.refusal().status));
  }
  return {};
}

/// The verdict on `text`, which must be the same however it is cut into two, and byte by byte.
std::string verdict(std::string_view text, std::size_t header_bytes_max = limit) {
  UpgradeParser whole(header_bytes_max);
  const std::string expected = told(whole, feed(whole, text));
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    UpgradeParser parser(header_bytes_max);
    State state = feed(parser, text.substr(0, cut));
    if (state == State::need_more) state = feed(parser, text.substr(cut));
    CAPTURE(cut);
    REQUIRE(told(parser, state) == expected);
  }
  UpgradeParser parser(header_bytes_max);
  State state = State::need_more;
  for (std::size_t at = 0; at < text.size() && state == State::need_more; ++at) {
    state = feed(parser, text.substr(at, 1));
  }
  REQUIRE(told(parser, state) == expected);
  return expected;
}

TEST_CASE("the accept value is the one of RFC 6455 section 1.3") {
  REQUIRE(accept_value("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("a handshake is understood") {
  UpgradeParser parser(limit);
  const std::string headers = std::string(handshake) + "Origin: https://example.com\r\n" +
                              "Sec-WebSocket-Protocol: chat, ringcast.v1\r\n";
  REQUIRE(feed(parser, request("GET /rooms/arena?resume=a%20b HTTP/1.1", headers)) ==
          State::upgrade);
  REQUIRE(parser.upgrade().room == "arena");
  REQUIRE(parser.upgrade().query == "resume=a%20b");
  REQUIRE(parser.upgrade().origin == "https://example.com");
  REQUIRE(parser.upgrade().key == "dGhlIHNhbXBsZSBub25jZQ==");
  REQUIRE(parser.upgrade().offers_subprotocols);
  REQUIRE(parser.upgrade().offers_ringcast);
  REQUIRE(parser.leftover().empty());
}

TEST_CASE("offered subprotocols are read from all their headers, and their case matters") {
  const auto offers = [](const std::string& headers) {
    UpgradeParser parser(limit);
    REQUIRE(feed(parser, request("GET /rooms/arena HTTP/1.1", std::string(handshake) + headers)) ==
            State::upgrade);
    return std::pair(parser.upgrade().offers_subprotocols, parser.upgrade().offers_ringcast);
  };
  REQUIRE(offers("") == std::pair(false, false));
  REQUIRE(offers("Sec-WebSocket-Protocol: chat\r\n") == std::pair(true, false));
  REQUIRE(offers("Sec-WebSocket-Protocol: Ringcast.V1\r\n") == std::pair(true, false));
  REQUIRE(offers("Sec-WebSocket-Protocol: ringcast.v1.arena\r\n") == std::pair(true, false));
  REQUIRE(offers("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: ringcast.v1\r\n") ==
          std::pair(true, true));
}

TEST_CASE("a request's target decides between a room and a page") {
  const auto [target, expected] = GENERATE(table<std::string, std::string>({
      {"/rooms/arena", "upgrade arena"},
      {"/rooms/A-z_0.9", "upgrade A-z_0.9"},
      {"/rooms/" + std::string(64, 'n'), "upgrade " + std::string(64, 'n')},
      {"/rooms/" + std::string(65, 'n'), "refused 404"},
      {"/rooms/", "refused 404"},
      {"/rooms/?q", "refused 404"},
      {"/rooms/a/b", "refused 404"},
      {"/rooms/a%20b", "refused 404"},
      {"http://example.com/rooms/arena?q", "upgrade arena"},
      {"HTTPS://example.com:9000/rooms/arena", "upgrade arena"},
      {"http://example.com", "page /"},
      {"/rooms", "page /rooms"},
      {"/", "page /"},
      {"/?rooms/", "page /"},
      {"/main.js?v=1", "page /main.js"},
      {"*", "refused 400"},
      {"rooms/arena", "refused 400"},
  }));
  INFO(target);
  REQUIRE(verdict(request("GET " + target + " HTTP/1.1", handshake)) == expected);
}

TEST_CASE("a page is asked for with GET or HEAD, in HTTP/1.0 or 1.1") {
  REQUIRE(verdict(request("GET / HTTP/1.1", "Host: a\r\n")) == "page /");
  REQUIRE(verdict(request("HEAD /main.js HTTP/1.1", "Host: a\r\n")) == "head /main.js");
  REQUIRE(verdict(request("GET / HTTP/1.0", "")) == "page /");
  REQUIRE(verdict(request("POST / HTTP/1.1", "Host: a\r\nContent-Length: 3\r\n") + "abc") ==
          "refused 405");
}

TEST_CASE("a handshake that breaks a rule is refused with that rule's status") {
  const auto [rule, text, status] = GENERATE(table<const char*, std::string, std::string>({
      {"method POST", request("POST /rooms/a HTTP/1.1", handshake), "405"},
      {"method HEAD", request("HEAD /rooms/a HTTP/1.1", handshake), "405"},
      {"method of nobody", request("BREW /rooms/a HTTP/1.1", handshake), "405"},
      {"HTTP/1.0", request("GET /rooms/a HTTP/1.0", handshake), "400"},
      {"HTTP/2.0", request("GET /rooms/a HTTP/2.0", handshake), "400"},
      {"no Host", request("GET /rooms/a HTTP/1.1", changed("Host: example.com\r\n", "")), "400"},
      {"two Hosts", request("GET /rooms/a HTTP/1.1", changed("Host", "Host: a\r\nHost")), "400"},
      {"no Upgrade", request("GET /rooms/a HTTP/1.1", "Host: a\r\n"), "426"},
      {"another Upgrade", request("GET /rooms/a HTTP/1.1", changed("websocket", "h2c")), "426"},
      {"no Connection", request("GET /rooms/a HTTP/1.1", changed("Connection: Upgrade\r\n", "")),
       "400"},
      {"another Connection", request("GET /rooms/a HTTP/1.1", changed(": Upgrade", ": close")),
       "400"},
      {"no version", request("GET /rooms/a HTTP/1.1", changed("Sec-WebSocket-Version: 13\r\n", "")),
       "400"},
      {"version 8", request("GET /rooms/a HTTP/1.1", changed(": 13", ": 8")), "426"},
      {"version 130", request("GET /rooms/a HTTP/1.1", changed(": 13", ": 130")), "426"},
      {"two versions",
       request("GET /rooms/a HTTP/1.1", std::string(handshake) + "Sec-WebSocket-Version: 13\r\n"),
       "400"},
      {"no key",
       request("GET /rooms/a HTTP/1.1",
               changed("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "")),
       "400"},
      {"short key", request("GET /rooms/a HTTP/1.1", changed("dGhl", "")), "400"},
      {"long key", request("GET /rooms/a HTTP/1.1", changed("dGhl", "dGhldGhl")), "400"},
      {"key of 17 bytes", request("GET /rooms/a HTTP/1.1", changed("ZQ==", "ZWU=")), "400"},
      {"key not in base64", request("GET /rooms/a HTTP/1.1", changed("dGhl", "dG*l")), "400"},
      {"two keys",
       request("GET /rooms/a HTTP/1.1", std::string(handshake) + "Sec-WebSocket-Key: a\r\n"),
       "400"},
      {"two Origins",
       request("GET /rooms/a HTTP/1.1", std::string(handshake) + "Origin: a\r\nOrigin: b\r\n"),
       "400"},
      {"a body",
       request("GET /rooms/a HTTP/1.1", std::string(handshake) + "Content-Length: 5\r\n") + "hello",
       "400"},
      {"a huge body", request("GET / HTTP/1.1", "Host: a\r\nContent-Length: 99999999999999\r\n"),
       "400"},
      {"a chunked body",
       request("GET /rooms/a HTTP/1.1", std::string(handshake) + "Transfer-Encoding: chunked\r\n"),
       "400"},
      {"a body of a page", request("GET / HTTP/1.1", "Host: a\r\nTransfer-Encoding: gzip\r\n"),
       "400"},
      {"no HTTP at all", "hello\r\n\r\n", "400"},
      {"nothing", "\r\n\r\n", "400"},
      {"a line that ends in LF", "GET / HTTP/1.1\nHost: a\n\n", "400"},
      {"an empty line of LF", "\n", "400"},
      {"a header without a colon", request("GET / HTTP/1.1", "Host\r\n"), "400"},
      {"a header with a blank in its name", request("GET / HTTP/1.1", "Ho st: a\r\n"), "400"},
      {"a NUL in a header", request("GET / HTTP/1.1", std::string("Host: a\0b\r\n", 11)), "400"},
  }));
  INFO(rule);
  REQUIRE(verdict(text) == "refused " + status);
}

TEST_CASE("headers are told apart in any case, and lists are searched for their tokens") {
  std::string headers = changed("Upgrade: websocket", "UPGRADE: h2c, WebSocket");
  headers.replace(headers.find("Connection: Upgrade"), 19, "connection: keep-alive, upgrade");
  REQUIRE(verdict(request("GET /rooms/a HTTP/1.1", headers)) == "upgrade a");
  REQUIRE(verdict(request("GET /rooms/a HTTP/1.1",
                          std::string(handshake) + "Content-Length: 0\r\n")) == "upgrade a");
}

TEST_CASE("a head may be as large as the limit and no larger") {
  const std::string text = request("GET / HTTP/1.1", "Host: a\r\n");
  REQUIRE(verdict(text, text.size()) == "page /");
  REQUIRE(verdict(text, text.size() - 1) == "refused 431");
  REQUIRE(verdict(std::string(100, 'x'), 100) == "refused 431");
  REQUIRE(verdict(std::string(99, 'x'), 100) == "need more");
}

TEST_CASE("a header of the largest head there may be is no trouble") {
  UpgradeParser parser(1'000'000);
  const std::string text =
      request("GET / HTTP/1.1", "Host: a\r\nCookie: " + std::string(65'000, 'c') + "\r\n");
  REQUIRE(feed(parser, text) == State::page);
  UpgradeParser over(1'000'000);
  REQUIRE(feed(over, std::string(65'535, 'c')) == State::refused);
  REQUIRE(over.refusal().status == HttpStatus::header_fields_too_large);
}

TEST_CASE("bytes behind the head are left over, wherever the reads end") {
  const std::string head = request("GET /rooms/arena HTTP/1.1", handshake);
  const std::string frames = "\x82\x80\x01\r\n\r\n";
  const std::string text = head + frames;
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    UpgradeParser parser(limit);
    if (feed(parser, text.substr(0, cut)) == State::need_more) {
      REQUIRE(parser.bytes_taken() == cut);
      REQUIRE(feed(parser, text.substr(cut)) == State::upgrade);
      REQUIRE(as_text(parser.leftover()) == frames);
    } else {
      REQUIRE(as_text(parser.leftover()) == text.substr(head.size(), cut - head.size()));
    }
    REQUIRE(parser.bytes_taken() == head.size());
  }
}

TEST_CASE("the 101 answer is the one of RFC 6455 section 1.3") {
  UpgradeRequest accepted;
  accepted.key = "dGhlIHNhbXBsZSBub25jZQ==";
  const std::string without =
      "HTTP/1.1 101 Switching Protocols\r\n"
      "Upgrade: websocket\r\n"
      "Connection: Upgrade\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
  REQUIRE(switching_protocols(accepted, false) == without + "\r\n");
  REQUIRE(switching_protocols(accepted, true) ==
          without + "Sec-WebSocket-Protocol: ringcast.v1\r\n\r\n");
}

TEST_CASE("a refusal says what the client may do instead") {
  const std::string head =
      "HTTP/1.1 404 Not Found\r\n"
      "Content-Type: text/plain; charset=utf-8\r\n"
      "Content-Length: 4\r\n"
      "Connection: close\r\n"
      "\r\n";
  REQUIRE(refusal_response({HttpStatus::not_found, "No."}, false) == head + "No.\n");
  REQUIRE(refusal_response({HttpStatus::not_found, "No."}, true) == head);
  const auto answer = [](std::string_view line) {
    UpgradeParser parser(limit);
    REQUIRE(feed(parser, request(line, "Host: a\r\n")) == State::refused);
    return refusal_response(parser.refusal(), parser.asks_head_only());
  };
  REQUIRE(answer("POST /rooms/a HTTP/1.1").find("\r\nAllow: GET\r\n") != std::string::npos);
  REQUIRE(answer("POST / HTTP/1.1").find("\r\nAllow: GET, HEAD\r\n") != std::string::npos);
  REQUIRE(refusal_response({HttpStatus::service_unavailable, "No."}, false)
              .find("\r\nRetry-After: 2\r\n") != std::string::npos);
  const std::string upgrade_required = answer("GET /rooms/a HTTP/1.1");
  REQUIRE(upgrade_required.find("426 Upgrade Required\r\n") != std::string::npos);
  REQUIRE(upgrade_required.find("\r\nUpgrade: websocket\r\n") != std::string::npos);
  REQUIRE(upgrade_required.find("\r\nSec-WebSocket-Version: 13\r\n") != std::string::npos);
}

TEST_CASE("whatever becomes of a HEAD, it is known as one as soon as its method has come in") {
  const auto asks_head_only = [](std::string_view text) {
    UpgradeParser parser(limit);
    feed(parser, text);
    return parser.asks_head_only();
  };
  REQUIRE(asks_head_only("HEAD /ro"));
  REQUIRE(asks_head_only(request("HEAD /rooms/a HTTP/1.1", "Host: a\r\n")));
  REQUIRE(asks_head_only(request("HEAD / HTTP/1.1", "")));
  REQUIRE(asks_head_only("HEAD /" + std::string(limit, 'x')));
  REQUIRE_FALSE(asks_head_only("HEA"));
  REQUIRE_FALSE(asks_head_only("HEADS / HTTP/1.1\r\n\r\n"));
  REQUIRE_FALSE(asks_head_only(request("GET / HTTP/1.1", "Host: a\r\n")));
}

TEST_CASE("a page's head says its type, size, how long to keep it and what it may load") {
  REQUIRE(page_head("text/html", 12, "no-cache") ==
          "HTTP/1.1 200 OK\r\n"
          "Content-Type: text/html\r\n"
          "Content-Length: 12\r\n"
          "Cache-Control: no-cache\r\n"
          "Content-Security-Policy: default-src 'self'; connect-src 'self' ws: wss:; base-uri "
          "'none'; form-action 'none'; frame-ancestors 'none'\r\n"
          "X-Content-Type-Options: nosniff\r\n"
          "Connection: close\r\n"
          "\r\n");
}

TEST_CASE("an origin is allowed by name, in any case; a missing one and an empty list allow") {
  const std::vector<std::string> allowed{"https://example.com", "http://localhost:9000"};
  REQUIRE(origin_allowed("https://EXAMPLE.com", allowed));
  REQUIRE(origin_allowed("http://localhost:9000", allowed));
  REQUIRE(origin_allowed("", allowed));
  REQUIRE(origin_allowed("https://anyone.org", {}));
  REQUIRE_FALSE(origin_allowed("https://example.com.evil.org", allowed));
  REQUIRE_FALSE(origin_allowed("http://example.com", allowed));
  REQUIRE_FALSE(origin_allowed("null", allowed));
}

}  // namespace
}  // namespace ringcast::ws
