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

TEST_CASE("what a client that comes back says is among its offers, and is none of them") {
  const auto says = [](const std::string& offers) {
    UpgradeParser parser(limit);
    REQUIRE(feed(parser, request("GET /rooms/arena HTTP/1.1",
                                 std::string(handshake) + "Sec-WebSocket-Protocol: " + offers +
                                     "\r\n")) == State::upgrade);
    return std::pair(parser.upgrade().resume, parser.upgrade().offers_ringcast);
  };
  REQUIRE(says("ringcast.v1") == std::pair(std::string(), true));
  REQUIRE(says("ringcast.v1, ringcast.resume.a-_9.17") == std::pair(std::string("a-_9.17"), true));
  REQUIRE(says("ringcast.resume.a") == std::pair(std::string("a"), false));
  REQUIRE(says("ringcast.resume.a, ringcast.resume.b, ringcast.v1") ==
          std::pair(std::string("a"), true));
}

TEST_CASE("a token is among the offers, and that there are several is known") {
  const auto says = [](const std::string& offers) {
    UpgradeParser parser(limit);
    REQUIRE(feed(parser, request("GET /rooms/arena HTTP/1.1",
                                 std::string(handshake) + "Sec-WebSocket-Protocol: " + offers +
                                     "\r\n")) == State::upgrade);
    return std::pair(parser.upgrade().token, parser.upgrade().offers_tokens);
  };
  REQUIRE(says("ringcast.v1") == std::pair(std::string(), false));
  REQUIRE(says("ringcast.v1, jwt.a-_.b.c") == std::pair(std::string("a-_.b.c"), false));
  REQUIRE(says("jwt, jwt., jwt.a") == std::pair(std::string("a"), false));
  REQUIRE(says("jwt.a, jwt.b").second);
  REQUIRE(says("jwt.a, jwt., jwt.b").second);
}

/// A handshake for the room `a`, with `headers` behind its own.
std::string with(std::string_view headers) {
  return request("GET /rooms/a HTTP/1.1", std::string(handshake) + std::string(headers));
}

std::string asks_for(std::string_view target) {
  return request("GET " + std::string(target) + " HTTP/1.1", handshake);
}

TEST_CASE("a request's target decides between a room and a page") {
  const auto [target, expected] = GENERATE(table<std::string, std::string>({
      {"/rooms/arena", "upgrade arena"},
      {"/rooms/A-z_0.9", "upgrade A-z_0.9"},
      {"/rooms/" + std::string(64, 'n'), "upgrade " + std::string(64, 'n')},
      {"/rooms/" + std::string(65, 'n'), "refused 404"},
      {"/rooms/", "refused 404"},
      {"/rooms/?q", "refused 404"},
      {"/rooms/a/", "refused 404"},
      {"/rooms/a/b", "refused 404"},
      {"/rooms//a", "refused 404"},
      {"/rooms/a;b=c", "refused 404"},
      {"/rooms", "page /rooms"},
      {"/Rooms/a", "page /Rooms/a"},
      {"//rooms/a", "page //rooms/a"},
      {"/", "page /"},
      {"/?rooms/", "page /"},
      {"/main.js?v=1", "page /main.js"},
      // What need not be encoded means the same when it is; what must be stays as it is.
      {"/rooms/%61ren%61", "upgrade arena"},
      {"/r%6Fo%6ds/a%2Db%5F%2ec%30", "upgrade a-b_.c0"},
      {"/rooms/a%20b", "refused 404"},
      {"/rooms/a%2Fb", "refused 404"},
      {"/rooms/a%3Fb", "refused 404"},
      {"/rooms/a%00", "refused 404"},
      {"/rooms/%c3%a4", "refused 404"},
      {"/rooms/a%2561", "refused 404"},
      {"/rooms/a%", "refused 404"},
      {"/rooms/a%6", "refused 404"},
      {"/rooms/a%6g", "refused 404"},
      {"/rooms/a%+1", "refused 404"},
      {"/rooms%2Fa", "page /rooms%2Fa"},
      {"/m%61in.js", "page /main.js"},
      // Steps of a path, which browsers take before they ask: no rooms, and never taken here.
      {"/rooms/.", "refused 404"},
      {"/rooms/..", "refused 404"},
      {"/rooms/%2e", "refused 404"},
      {"/rooms/%2E.", "refused 404"},
      {"/rooms/...", "upgrade ..."},
      {"/rooms/.a", "upgrade .a"},
      {"/rooms/../rooms/a", "refused 404"},
      {"/x/../rooms/a", "page /x/../rooms/a"},
      // A query is nobody's path, whatever browsers leave bare in it.
      {"/rooms/a?q=/rooms/b", "upgrade a"},
      {"/rooms/a?{}|^`[]\\'%", "upgrade a"},
      {"/rooms/a??", "upgrade a"},
      {"/rooms/a#b", "refused 400"},
      {"/rooms/a?b#c", "refused 400"},
      {"/#/rooms/a", "refused 400"},
      {"/rooms/a?\"", "refused 400"},
      {"/<>", "refused 400"},
      {"/rooms/\xc3\xa4", "refused 400"},
      {"/rooms/a?\x7f", "refused 400"},
      // A whole URL. Its authority ends where its path, its query or it itself does.
      {"http://example.com/rooms/arena?q", "upgrade arena"},
      {"HTTPS://example.com:9000/rooms/arena", "upgrade arena"},
      {"ws://example.com/rooms/arena", "upgrade arena"},
      {"wss://example.com:443/rooms/arena", "upgrade arena"},
      {"http://example.com", "page /"},
      {"http://example.com?q=/rooms/echo", "page /"},
      {"http://example.com#/rooms/echo", "refused 400"},
      {"http://example.com/?q=http://a/rooms/b", "page /"},
      {"http://user@example.com/rooms/a", "refused 400"},
      {"http:///rooms/a", "refused 400"},
      {"http://?q=/rooms/a", "refused 400"},
      {"http://", "refused 400"},
      {"http://:80/rooms/a", "refused 400"},
      {"http://example.com:port/rooms/a", "refused 400"},
      {"http://example.com:65536/rooms/a", "refused 400"},
      {"http://example.com:/rooms/a", "upgrade a"},
      {"http://[::1]:9000/rooms/a", "upgrade a"},
      {"http://[::1/rooms/a", "refused 400"},
      {"http://exa\\mple.com/rooms/a", "refused 400"},
      {"http:/rooms/a", "refused 400"},
      {"ftp://example.com/rooms/a", "refused 400"},
      {"*", "refused 400"},
      {"rooms/arena", "refused 400"},
      {"example.com:80", "refused 400"},
  }));
  INFO(target);
  REQUIRE(verdict(asks_for(target)) == expected);
}

TEST_CASE("a query is kept as it was written") {
  const auto query = [](std::string_view target) {
    UpgradeParser parser(limit);
    REQUIRE(feed(parser, asks_for(target)) == State::upgrade);
    return parser.upgrade().query;
  };
  REQUIRE(query("/rooms/a").empty());
  REQUIRE(query("/rooms/a?").empty());
  REQUIRE(query("/rooms/a?b=%41?c") == "b=%41?c");
  REQUIRE(query("http://h:1/rooms/a?b") == "b");
}

TEST_CASE("Host is a host and perhaps a port") {
  const auto [host, expected] = GENERATE(table<std::string, std::string>({
      {"example.com", "page /"},
      {"EXAMPLE.com:9000", "page /"},
      {" example.com\t", "page /"},
      {"example.com:", "page /"},
      {"127.0.0.1:9000", "page /"},
      {"[::1]:9000", "page /"},
      {"[::ffff:192.0.2.1]", "page /"},
      {"[v1.a:b]", "page /"},
      {"a_b.xn--bcher-kva.example.", "page /"},
      {"a%20b", "page /"},
      {"a!$&'()*+,;=~", "page /"},
      {"", "refused 400"},
      {" ", "refused 400"},
      {":9000", "refused 400"},
      {"example.com:http", "refused 400"},
      {"example.com:65536", "refused 400"},
      {"example.com:-1", "refused 400"},
      {"example.com:1:2", "refused 400"},
      {"::1", "refused 400"},
      {"[::1", "refused 400"},
      {"[::1]x", "refused 400"},
      {"[127.0.0.1]", "refused 400"},
      {"[fe80::1%25eth0]", "refused 400"},
      {"[]", "refused 400"},
      {"[v.a]", "refused 400"},
      {"[v1.]", "refused 400"},
      {"user@example.com", "refused 400"},
      {"http://example.com", "refused 400"},
      {"example.com/", "refused 400"},
      {"example.com?", "refused 400"},
      {"exa mple.com", "refused 400"},
      {"a%2", "refused 400"},
      {"a%zz", "refused 400"},
      {"\xc3\xa4", "refused 400"},
      {"a\"b", "refused 400"},
  }));
  INFO(host);
  REQUIRE(verdict(request("GET / HTTP/1.1", "Host:" + host + "\r\n")) == expected);
}

TEST_CASE("a request needs one Host; the authority of a whole URL counts instead of an empty one") {
  const auto [line, headers, expected] = GENERATE(table<const char*, const char*, std::string>({
      {"GET / HTTP/1.1", "", "refused 400"},
      {"GET / HTTP/1.1", "Host: a\r\nHost: a\r\n", "refused 400"},
      {"GET / HTTP/1.0", "Host: a\r\nHost: a\r\n", "refused 400"},
      {"GET / HTTP/1.0", "", "page /"},
      {"GET / HTTP/1.0", "Host:\r\n", "refused 400"},
      {"GET / HTTP/1.0", "Host: a b\r\n", "refused 400"},
      {"GET http://a/ HTTP/1.1", "", "refused 400"},
      {"GET http://a/ HTTP/1.1", "Host:\r\n", "page /"},
      {"GET http://a/ HTTP/1.1", "Host: another\r\n", "page /"},
      {"GET http://a/ HTTP/1.1", "Host: a b\r\n", "refused 400"},
  }));
  INFO(line << ' ' << headers);
  REQUIRE(verdict(request(line, headers)) == expected);
}

TEST_CASE("a method is one of use here, one known elsewhere, or none") {
  const auto [line, expected] = GENERATE(table<const char*, std::string>({
      {"GET / HTTP/1.1", "page /"},
      {"HEAD /main.js HTTP/1.1", "head /main.js"},
      {"HEAD /rooms/a HTTP/1.1", "refused 426"},
      {"HEAD /rooms/.. HTTP/1.1", "refused 404"},
      {"POST / HTTP/1.1", "refused 405"},
      {"POST /rooms/a HTTP/1.1", "refused 405"},
      {"PUT /rooms/a HTTP/1.1", "refused 405"},
      {"DELETE /rooms/a HTTP/1.1", "refused 405"},
      {"PATCH /rooms/a HTTP/1.1", "refused 405"},
      {"TRACE / HTTP/1.1", "refused 405"},
      {"OPTIONS /rooms/a HTTP/1.1", "refused 405"},
      {"OPTIONS * HTTP/1.1", "refused 405"},
      {"OPTIONS http://a HTTP/1.1", "refused 405"},
      {"CONNECT a:80 HTTP/1.1", "refused 405"},
      {"POST /rooms/a/b HTTP/1.1", "refused 404"},
      {"POST * HTTP/1.1", "refused 400"},
      {"POST http://?/ HTTP/1.1", "refused 400"},
      {"get / HTTP/1.1", "refused 501"},
      {"Get /rooms/a HTTP/1.1", "refused 501"},
      {"BREW /rooms/a HTTP/1.1", "refused 501"},
      {"PROPFIND / HTTP/1.1", "refused 501"},
      {"GETS / HTTP/1.1", "refused 501"},
      {"BREW * HTTP/1.1", "refused 501"},
      {"G@T / HTTP/1.1", "refused 400"},
  }));
  INFO(line);
  REQUIRE(verdict(request(line, handshake)) == expected);
}

TEST_CASE("a request line is a method, a target and a version, with one blank between them") {
  const auto [line, expected] = GENERATE(table<std::string, std::string>({
      {"GET / HTTP/1.0", "page /"},
      {"GET / HTTP/1.1", "page /"},
      {"GET / HTTP/1.2", "page /"},  // spoken to as 1.1
      {"GET / HTTP/1.9", "page /"},
      {"GET / HTTP/0.9", "refused 505"},
      {"GET / HTTP/2.0", "refused 505"},
      {"PRI * HTTP/2.0", "refused 505"},
      {"GET / HTTP/3.0", "refused 505"},
      {"GET / HTTP/11", "refused 400"},
      {"GET / HTTP/1.10", "refused 400"},
      {"GET / HTTP/1.", "refused 400"},
      {"GET / http/1.1", "refused 400"},
      {"GET / HTTPS/1.1", "refused 400"},
      {"GET /", "refused 400"},
      {"GET", "refused 400"},
      {"GET  HTTP/1.1", "refused 400"},
      {"GET  / HTTP/1.1", "refused 400"},
      {"GET /  HTTP/1.1", "refused 400"},
      {"GET / HTTP/1.1 ", "refused 400"},
      {" GET / HTTP/1.1", "refused 400"},
      {"GET\t/ HTTP/1.1", "refused 400"},
      {"GET /\t HTTP/1.1", "refused 400"},
      {"GET / / HTTP/1.1", "refused 400"},
      {"hello", "refused 400"},
      {std::string("GET /\0 HTTP/1.1", 15), "refused 400"},
  }));
  INFO(line);
  REQUIRE(verdict(request(line, "Host: a\r\n")) == expected);
}

TEST_CASE("a line of a head ends in CR LF, and one empty line before a request is passed over") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"\r\n" + request("GET / HTTP/1.1", "Host: a\r\n"), "page /"},
      {"\r\n" + request("HEAD / HTTP/1.1", "Host: a\r\n"), "head /"},
      {"\r\n\r\n", "refused 400"},
      {"\r\n\r\n" + request("GET / HTTP/1.1", "Host: a\r\n"), "refused 400"},
      {"GET / HTTP/1.1\nHost: a\n\n", "refused 400"},
      {"GET / HTTP/1.1\r\nHost: a\n\r\n", "refused 400"},
      {"GET / HTTP/1.1\rHost: a\r\n\r\n", "refused 400"},
      {"\n", "refused 400"},
      {"\r\n\n", "refused 400"},
      {"hello\r\n\r\n", "refused 400"},
  }));
  INFO(text);
  REQUIRE(verdict(text) == expected);
}

TEST_CASE("a field is a name, a colon and a value") {
  const auto [field, expected] = GENERATE(table<std::string, std::string>({
      {"X: b", "page /"},
      {"X:b", "page /"},
      {"X:", "page /"},
      {"X: \t b \t ", "page /"},
      {"X: b\tc : \xc3\xa4", "page /"},
      {"!#$%&'*+-.^_`|~9: b", "page /"},
      {"X", "refused 400"},
      {": b", "refused 400"},
      {"X : b", "refused 400"},
      {"X Y: b", "refused 400"},
      {" X: b", "refused 400"},
      {"\tX: b", "refused 400"},
      {"X: b\r\n c", "refused 400"},  // folded
      {"(X): b", "refused 400"},
      {"\xc3\xa4: b", "refused 400"},
      {std::string("X: b\0", 5), "refused 400"},
      {"X: b\rc", "refused 400"},
      {"X: b\x01", "refused 400"},
      {"X: b\x7f", "refused 400"},
  }));
  INFO(field);
  REQUIRE(verdict(request("GET / HTTP/1.1", "Host: a\r\n" + field + "\r\n")) == expected);
}

TEST_CASE("a request has no body") {
  const auto [headers, expected] = GENERATE(table<std::string, std::string>({
      {"Content-Length: 0\r\n", "upgrade a"},
      {"Content-Length: 00\r\nContent-Length: 0\r\n", "upgrade a"},
      {"Content-Length: 5\r\n", "refused 400"},
      {"Content-Length: 0\r\ncontent-length: 5\r\n", "refused 400"},
      {"Content-Length: 99999999999999999999999\r\n", "refused 400"},
      {"Content-Length: 0x0\r\n", "refused 400"},
      {"Content-Length: -0\r\n", "refused 400"},
      {"Content-Length: 0, 0\r\n", "refused 400"},
      {"Content-Length:\r\n", "refused 400"},
      {"Transfer-Encoding: chunked\r\n", "refused 400"},
      {"Transfer-Encoding: gzip\r\n", "refused 400"},
      {"Transfer-Encoding:\r\n", "refused 400"},
  }));
  INFO(headers);
  REQUIRE(verdict(with(headers)) == expected);
  if (expected != "upgrade a") {
    REQUIRE(verdict(request("GET / HTTP/1.1", "Host: a\r\n" + headers)) == expected);
  }
}

TEST_CASE("a handshake that breaks a rule is refused with that rule's status") {
  const auto [rule, text, expected] = GENERATE(table<const char*, std::string, std::string>({
      {"HTTP/1.0", request("GET /rooms/a HTTP/1.0", handshake), "refused 400"},
      {"HTTP/1.2", request("GET /rooms/a HTTP/1.2", handshake), "upgrade a"},
      {"no Upgrade", request("GET /rooms/a HTTP/1.1", "Host: a\r\n"), "refused 426"},
      {"another Upgrade", request("GET /rooms/a HTTP/1.1", changed("websocket", "h2c")),
       "refused 426"},
      {"a part of it", request("GET /rooms/a HTTP/1.1", changed("websocket", "websockets")),
       "refused 426"},
      {"Upgrade with a version", request("GET /rooms/a HTTP/1.1", changed("socket", "socket/13")),
       "refused 426"},
      {"Upgrade with a parameter", request("GET /rooms/a HTTP/1.1", changed("socket", "socket;a")),
       "refused 426"},
      {"no Connection", request("GET /rooms/a HTTP/1.1", changed("Connection: Upgrade\r\n", "")),
       "refused 400"},
      {"another Connection", request("GET /rooms/a HTTP/1.1", changed(": Upgrade", ": close")),
       "refused 400"},
      {"Connection with a parameter",
       request("GET /rooms/a HTTP/1.1", changed(": Upgrade", ": Upgrade;q=1")), "refused 400"},
      {"no version", request("GET /rooms/a HTTP/1.1", changed("Sec-WebSocket-Version: 13\r\n", "")),
       "refused 400"},
      {"version 8", request("GET /rooms/a HTTP/1.1", changed(": 13", ": 8")), "refused 426"},
      {"version 130", request("GET /rooms/a HTTP/1.1", changed(": 13", ": 130")), "refused 426"},
      {"version 013", request("GET /rooms/a HTTP/1.1", changed(": 13", ": 013")), "refused 426"},
      {"several versions", request("GET /rooms/a HTTP/1.1", changed(": 13", ": 13, 8")),
       "refused 426"},
      {"two versions", with("Sec-WebSocket-Version: 13\r\n"), "refused 400"},
      {"no key",
       request("GET /rooms/a HTTP/1.1",
               changed("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "")),
       "refused 400"},
      {"short key", request("GET /rooms/a HTTP/1.1", changed("dGhl", "")), "refused 400"},
      {"long key", request("GET /rooms/a HTTP/1.1", changed("dGhl", "dGhldGhl")), "refused 400"},
      {"key of 17 bytes", request("GET /rooms/a HTTP/1.1", changed("ZQ==", "ZWU=")), "refused 400"},
      {"key not in base64", request("GET /rooms/a HTTP/1.1", changed("dGhl", "dG*l")),
       "refused 400"},
      {"two keys", with("Sec-WebSocket-Key: a\r\n"), "refused 400"},
      {"two Origins", with("Origin: a\r\nOrigin: b\r\n"), "refused 400"},
  }));
  INFO(rule);
  REQUIRE(verdict(text) == expected);
}

TEST_CASE("lists are searched for their elements, and an element with a parameter is another") {
  const auto [from, to, expected] = GENERATE(table<std::string, std::string, std::string>({
      {": websocket", ": h2c, WebSocket", "upgrade a"},
      {": websocket", ": h2c;a=b, websocket", "upgrade a"},
      {": websocket", ": h2c/1 ,\twebsocket\t,", "upgrade a"},
      {": websocket", ":,,websocket", "upgrade a"},
      {": websocket", ": h2c\r\nUpgrade: websocket", "upgrade a"},
      {": websocket", ": h2c websocket", "refused 426"},
      {": websocket", ": \"websocket\"", "refused 426"},
      {": websocket", ": \"a, websocket\"", "refused 426"},
      {": Upgrade", ": keep-alive, upgrade", "upgrade a"},
      {": Upgrade", ": keep-alive;timeout=5, Upgrade", "upgrade a"},
      {": Upgrade", ": keep-alive;a=\"b\\\",c\", Upgrade", "upgrade a"},
      {": Upgrade", ": close\r\nConnection: UPGRADE", "upgrade a"},
      {": Upgrade", ": Upgrade keep-alive", "refused 400"},
      {": Upgrade", ":", "refused 400"},
  }));
  INFO(to);
  REQUIRE(verdict(request("GET /rooms/a HTTP/1.1", changed(from, to))) == expected);
}

TEST_CASE("what is offered is a list: of names, or of extensions with their parameters") {
  const auto [headers, expected] = GENERATE(table<std::string, std::string>({
      {"Sec-WebSocket-Protocol: chat, ringcast.v1", "upgrade a"},
      {"Sec-WebSocket-Protocol: ,chat,", "upgrade a"},
      {"Sec-WebSocket-Protocol:", "refused 400"},
      {"Sec-WebSocket-Protocol: ,", "refused 400"},
      {"Sec-WebSocket-Protocol: chat ringcast.v1", "refused 400"},
      {"Sec-WebSocket-Protocol: chat;a=b, ringcast.v1", "refused 400"},
      {"Sec-WebSocket-Protocol: \"ringcast.v1\"", "refused 400"},
      {"Sec-WebSocket-Protocol: ringcast/v1", "refused 400"},
      {"Sec-WebSocket-Extensions: permessage-deflate", "upgrade a"},
      {"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "upgrade a"},
      {"Sec-WebSocket-Extensions: permessage-deflate;server_max_window_bits=10 ; a = \"b\", c",
       "upgrade a"},
      {"Sec-WebSocket-Extensions: a;b=\"c\\d\"\r\nsec-websocket-extensions: e", "upgrade a"},
      {"Sec-WebSocket-Extensions:", "refused 400"},
      {"Sec-WebSocket-Extensions: a;", "refused 400"},
      {"Sec-WebSocket-Extensions: ;a", "refused 400"},
      {"Sec-WebSocket-Extensions: a b", "refused 400"},
      {"Sec-WebSocket-Extensions: a;=b", "refused 400"},
      {"Sec-WebSocket-Extensions: a;b=", "refused 400"},
      {"Sec-WebSocket-Extensions: a;b=\"c d\"", "refused 400"},
      {"Sec-WebSocket-Extensions: a;b=\"c", "refused 400"},
      {"Sec-WebSocket-Extensions: a;b=\"\"", "refused 400"},
      {"Sec-WebSocket-Extensions: a;b=\"\\\"", "refused 400"},
  }));
  INFO(headers);
  REQUIRE(verdict(with(headers + "\r\n")) == expected);
}

TEST_CASE("names of headers are told apart in any case") {
  std::string headers = changed("Upgrade: websocket", "UPGRADE: websocket");
  headers.replace(headers.find("Connection:"), 10, "connection");
  headers.replace(headers.find("Sec-WebSocket-Key"), 17, "sec-websocket-KEY");
  REQUIRE(verdict(request("GET /rooms/a HTTP/1.1", headers)) == "upgrade a");
}

TEST_CASE("a head may be as large as the limit and no larger") {
  const std::string text = request("GET / HTTP/1.1", "Host: a\r\n");
  REQUIRE(verdict(text, text.size()) == "page /");
  REQUIRE(verdict(text, text.size() - 1) == "refused 431");
  REQUIRE(verdict(std::string(99, 'x'), 100) == "need more");
}

TEST_CASE("a head over the limit is refused for what is too long in it") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(100, 'x'), "refused 431"},
      {"GET / HTTP/1.1\r\n" + std::string(100, 'x'), "refused 431"},
      {"GET /" + std::string(100, 'x'), "refused 414"},
      {"HEAD /rooms/" + std::string(100, 'x') + " HTTP/1.1\r\n\r\n", "refused 414"},
      {"\r\nGET /" + std::string(100, 'x'), "refused 414"},
      {std::string(100, 'x'), "refused 501"},
      {std::string(100, '\x16'), "refused 400"},
      {"GET / " + std::string(100, 'x'), "refused 400"},
  }));
  INFO(text);
  REQUIRE(verdict(text, 100) == expected);
}

TEST_CASE("a header of a head as large as it may be is no trouble") {
  UpgradeParser parser(1'000'000);
  const std::string text =
      request("GET / HTTP/1.1", "Host: a\r\nCookie: " + std::string(900'000, 'c') + "\r\n");
  REQUIRE(feed(parser, text) == State::page);
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
  constexpr UnixNanoseconds now = 784'111'777'999'999'999;
  const std::string head =
      "HTTP/1.1 404 Not Found\r\n"
      "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
      "Content-Type: text/plain; charset=utf-8\r\n"
      "Content-Length: 4\r\n"
      "Connection: close\r\n"
      "\r\n";
  REQUIRE(refusal_response({HttpStatus::not_found, "No."}, false, now) == head + "No.\n");
  REQUIRE(refusal_response({HttpStatus::not_found, "No."}, true, now) == head);
  const auto answer = [&](std::string_view line) {
    UpgradeParser parser(limit);
    REQUIRE(feed(parser, request(line, "Host: a\r\n")) == State::refused);
    return refusal_response(parser.refusal(), parser.asks_head_only(), now);
  };
  REQUIRE(answer("POST /rooms/a HTTP/1.1").find("\r\nAllow: GET, HEAD\r\n") != std::string::npos);
  REQUIRE(answer("POST / HTTP/1.1").find("\r\nAllow: GET, HEAD\r\n") != std::string::npos);
  REQUIRE(refusal_response({HttpStatus::service_unavailable, "No."}, false, now)
              .find("\r\nRetry-After: 2\r\n") != std::string::npos);
  REQUIRE(refusal_response({HttpStatus::unauthorized, "No."}, false, now)
              .find("401 Unauthorized\r\n") != std::string::npos);
  REQUIRE(refusal_response({HttpStatus::unauthorized, "No."}, false, now)
              .find("\r\nWWW-Authenticate: Bearer realm=\"ringcast\"\r\n") != std::string::npos);
  const std::string upgrade_required = answer("GET /rooms/a HTTP/1.1");
  REQUIRE(upgrade_required.find("426 Upgrade Required\r\n") != std::string::npos);
  REQUIRE(upgrade_required.find("\r\nUpgrade: websocket\r\n") != std::string::npos);
  REQUIRE(upgrade_required.find("\r\nSec-WebSocket-Version: 13\r\n") != std::string::npos);
  REQUIRE(upgrade_required.find("Ringcast-Subprotocol") == std::string::npos);
  REQUIRE(refusal_response(
              {.status = HttpStatus::upgrade_required, .reason = "No.", .subprotocol = "none"},
              false, now)
              .find("\r\nRingcast-Subprotocol: none\r\n") != std::string::npos);
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
  REQUIRE(page_head("text/html", 12, "no-cache", 951'827'696'000'000'000) ==
          "HTTP/1.1 200 OK\r\n"
          "Date: Tue, 29 Feb 2000 12:34:56 GMT\r\n"
          "Content-Type: text/html\r\n"
          "Content-Length: 12\r\n"
          "Cache-Control: no-cache\r\n"
          "Content-Security-Policy: default-src 'self'; connect-src 'self' ws: wss:; base-uri "
          "'none'; form-action 'none'; frame-ancestors 'none'\r\n"
          "X-Content-Type-Options: nosniff\r\n"
          "Connection: close\r\n"
          "\r\n");
}

TEST_CASE("every status that is answered with has its words") {
  for (const auto& [status, words] : {
           std::pair(HttpStatus::bad_request, "400 Bad Request"),
           std::pair(HttpStatus::forbidden, "403 Forbidden"),
           std::pair(HttpStatus::method_not_allowed, "405 Method Not Allowed"),
           std::pair(HttpStatus::request_timeout, "408 Request Timeout"),
           std::pair(HttpStatus::uri_too_long, "414 URI Too Long"),
           std::pair(HttpStatus::upgrade_required, "426 Upgrade Required"),
           std::pair(HttpStatus::too_many_requests, "429 Too Many Requests"),
           std::pair(HttpStatus::header_fields_too_large, "431 Request Header Fields Too Large"),
           std::pair(HttpStatus::not_implemented, "501 Not Implemented"),
           std::pair(HttpStatus::service_unavailable, "503 Service Unavailable"),
           std::pair(HttpStatus::version_not_supported, "505 HTTP Version Not Supported"),
       }) {
    REQUIRE(refusal_response({status, "No."}, false, 0)
                .starts_with("HTTP/1.1 " + std::string(words) + "\r\nDate: Thu, 01 Jan 1970 "));
  }
}

}  // namespace
}  // namespace ringcast::ws
