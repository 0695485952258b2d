#include "ws/origin.h"

#include <vector>

#include "catch.h"

namespace ringcast::ws {
namespace {

std::vector<AllowedOrigin> list(const std::vector<std::string>& texts) {
  std::vector<AllowedOrigin> allowed;
  for (const std::string& text : texts) {
    const auto entry = AllowedOrigin::parse(text);
    INFO(text);
    REQUIRE(entry);
    allowed.push_back(*entry);
  }
  return allowed;
}

TEST_CASE("an entry allows the origin that it names, however the two are written") {
  const auto [entry, origin, allowed] = GENERATE(table<std::string, std::string, bool>({
      {"https://example.com", "https://example.com", true},
      {"https://EXAMPLE.com", "HTTPS://example.COM", true},
      {"https://example.com:443", "https://example.com", true},
      {"https://example.com", "https://example.com:443", true},
      {"http://example.com:80", "http://example.com", true},
      {"http://example.com:0080", "http://example.com", true},
      {"https://example.com:80", "https://example.com", false},
      {"http://localhost:9000", "http://localhost:9000", true},
      {"http://localhost:9000", "http://localhost:9001", false},
      {"http://localhost:9000", "http://localhost", false},
      {"https://example.com", "http://example.com", false},
      {"https://example.com", "https://example.com.evil.org", false},
      {"https://example.com", "https://evil-example.com", false},
      {"https://example.com", "https://example.com.", false},
      {"https://example.com", "https://play.example.com", false},
      {"https://example.com", "null", false},
      {"https://example.com", "example.com", false},
      {"https://example.com", "https://example.com/", false},
      {"https://example.com", "https://example.com https://evil.org", false},
      {"http://127.0.0.1", "http://127.0.0.1", true},
      {"http://[::1]:9000", "http://[::1]:9000", true},
      {"http://[0:0:0:0:0:0:0:1]:9000", "http://[::1]:9000", true},
      {"capacitor://localhost", "capacitor://localhost", true},
      {"chrome-extension://abcdefgh", "chrome-extension://abcdefgh", true},
      {"https://xn--bcher-kva.example", "https://xn--bcher-kva.example", true},
      {"null", "null", true},
      {"null", "https://example.com", false},
      {"*", "https://anyone.example", true},
      {"*", "null", true},
      {"*", "what?", true},
  }));
  INFO(entry << " and " << origin);
  CHECK(origin_allowed(origin, "server.example", list({entry})) == allowed);
}

TEST_CASE("an asterisk before a domain stands for all of its subdomains, and not for itself") {
  const auto allowed = list({"https://*.example.org", "http://*.example.net:8080"});
  for (const auto* origin : {"https://play.example.org", "https://a.b.example.org",
                             "https://PLAY.example.org:443", "http://x.example.net:8080"}) {
    INFO(origin);
    CHECK(origin_allowed(origin, "server.example", allowed));
  }
  for (const auto* origin :
       {"https://example.org", "https://evilexample.org", "https://play.example.org.evil.net",
        "http://play.example.org", "https://play.example.org:8443", "http://x.example.net",
        "https://.example.org", "https://a..example.org", "https://evil.net/.example.org",
        "https://evil.net?.example.org", "https://evil.net@a.example.org", "null"}) {
    INFO(origin);
    CHECK_FALSE(origin_allowed(origin, "server.example", allowed));
  }
}

TEST_CASE("any entry of the list may allow; an empty list and no Origin allow") {
  const auto allowed = list({"https://one.example", "https://two.example"});
  CHECK(origin_allowed("https://one.example", "server.example", allowed));
  CHECK(origin_allowed("https://two.example", "server.example", allowed));
  CHECK_FALSE(origin_allowed("https://three.example", "server.example", allowed));
  CHECK(origin_allowed("", "server.example", allowed));
  CHECK(origin_allowed("https://anyone.example", "server.example",
                       list({"https://one.example", "*"})));
}

TEST_CASE("an entry that can never match is refused with its reason") {
  const auto [entry, reason] = GENERATE(table<std::string, std::string>({
      {"", "not an origin such as https://example.org"},
      {"a.example", "not an origin such as https://example.org"},
      {"//a.example", "not an origin such as https://example.org"},
      {"://a.example", "not an origin such as https://example.org"},
      {"ht tp://a.example", "not an origin such as https://example.org"},
      {"wss://a.example", "pages come over http or https"},
      {"file://x", "have the origin null"},
      {"data://x", "have the origin null"},
      {"ws://a.example", "pages come over http or https"},
      {"https://a.example/", "no path, not even '/'"},
      {"https://a.example/play", "no path, not even '/'"},
      {"https://a.example?q", "no path, not even '/'"},
      {"https://a.example#f", "no path, not even '/'"},
      {"https://me@a.example", "no user"},
      {"https://", "names no host"},
      {"https://:443", "names no host"},
      {"https://a.example:", "port is not a number"},
      {"https://a.example:0", "port is not a number"},
      {"https://a.example:65536", "port is not a number"},
      {"https://a.example:https", "port is not a number"},
      {"https://a..example", "not written as browsers send it"},
      {"https://.example", "not written as browsers send it"},
      {"https://a_example..", "not written as browsers send it"},
      {"https://a example", "not written as browsers send it"},
      {"https://%61.example", "not written as browsers send it"},
      {"https://b\xc3\xbc"
       "cher.example",
       "xn--"},
      {"http://127.1", "no IPv4 address"},
      {"http://0x7f.0.0.1", "no IPv4 address"},
      {"http://127.0.0.0x1", "no IPv4 address"},
      {"http://127.0.0.256", "no IPv4 address"},
      {"http://127.0.0.01", "no IPv4 address"},
      {"http://[::1", "not an IPv6 address"},
      {"http://[127.0.0.1]", "not an IPv6 address"},
      {"http://[::1]9000", "not an IPv6 address"},
      {"http://::1", "names no host"},
      {"**", "'*' stands alone"},
      {"https://*", "'*' stands alone"},
      {"https://*:443", "'*' stands alone"},
      {"*://a.example", "'*' stands alone"},
      {"*.example.org", "'*' stands alone"},
      {"https://play-*.example.org", "'*' stands alone"},
      {"https://*example.org", "'*' stands alone"},
      {"https://*.*.example.org", "'*' stands alone"},
      {"https://a.example:*", "'*' stands alone"},
      {"https://*.", "names no host"},
      {"http://*.127.0.0.1", "no subdomains"},
      {"http://*.[::1]", "no subdomains"},
  }));
  INFO(entry);
  const auto parsed = AllowedOrigin::parse(entry);
  REQUIRE_FALSE(parsed);
  INFO(parsed.error().message);
  CHECK(parsed.error().message.starts_with('\'' + entry + "' matches no page's origin: "));
  CHECK(parsed.error().message.find(reason) != std::string::npos);
}

TEST_CASE("without a list a page may connect to where it came from, and nowhere else") {
  const auto may = [](std::string_view origin, std::string_view host) {
    return origin_allowed(origin, host, {});
  };
  CHECK(may("", "server.example"));
  CHECK(may("http://server.example", "server.example"));
  CHECK(may("https://server.example", "server.example"));
  CHECK(may("https://Server.Example", "SERVER.example"));
  CHECK(may("http://server.example", "server.example:80"));
  CHECK(may("https://server.example:443", "server.example"));
  CHECK(may("http://server.example:9000", "server.example:9000"));
  CHECK(may("http://[::1]:9000", "[0:0::1]:9000"));
  CHECK(may("http://127.0.0.1:9000", "127.0.0.1:9000"));
  for (const auto& [origin, host] : std::initializer_list<std::pair<const char*, const char*>>{
           {"https://evil.example", "server.example"},
           {"https://server.example.evil", "server.example"},
           {"https://sub.server.example", "server.example"},
           {"http://server.example", "server.example:443"},
           {"https://server.example", "server.example:80"},
           {"http://server.example:9000", "server.example"},
           {"http://localhost:9000", "127.0.0.1:9000"},
           {"ftp://server.example", "server.example"},
           {"null", "server.example"},
           {"null", "null"},
           {"http://server.example/", "server.example"},
           {"http://", ""},
           {"http://server.example", ""}}) {
    INFO(origin << " to " << host);
    CHECK_FALSE(may(origin, host));
  }
}

}  // namespace
}  // namespace ringcast::ws
