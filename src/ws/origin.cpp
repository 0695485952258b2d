#include "ws/origin.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

#include "base/ip_address.h"
#include "ws/http_text.h"

namespace ringcast::ws {
namespace {

constexpr std::string_view separator = "://";
constexpr std::string_view any_subdomain = "*.";

bool is_scheme(std::string_view text) {
  return !text.empty() && !is_digit(text.front()) && is_alphanumeric(text.front()) &&
         std::ranges::all_of(
             text, [](char c) { return is_alphanumeric(c) || c == '+' || c == '-' || c == '.'; });
}

std::optional<std::uint16_t> own_port(std::string_view scheme) {
  if (scheme == "http") return 80;
  if (scheme == "https") return 443;
  return std::nullopt;
}

/// Whether browsers take a name with this last label for an IPv4 address.
bool is_number(std::string_view label) {
  if (label.starts_with("0x")) {
    return label.find_first_not_of("0123456789abcdef", 2) == std::string_view::npos;
  }
  return std::ranges::all_of(label, is_digit);
}

Result<std::string> parse_host(std::string_view text) {
  if (text.empty()) return fail("it names no host");
  if (text.starts_with('[')) {
    const auto address = text.ends_with(']') && text.find(':') != std::string_view::npos
                             ? IpAddress::parse(text.substr(1, text.size() - 2))
                             : std::nullopt;
    if (!address) return fail("what it has in brackets is not an IPv6 address");
    return '[' + address->text() + ']';
  }
  std::string host = lower_case(text);
  std::string_view labels = host;
  if (labels.ends_with('.')) labels.remove_suffix(1);
  std::string_view label;
  for (bool more = true; more;) {
    const std::size_t dot = std::min(labels.find('.'), labels.size());
    label = labels.substr(0, dot);
    more = dot < labels.size();
    labels.remove_prefix(std::min(dot + 1, labels.size()));
    if (label.empty() || !std::ranges::all_of(label, [](char c) {
          return is_alphanumeric(c) || c == '-' || c == '_';
        })) {
      return fail(
          "its host is not written as browsers send it: letters, digits, '-', '_' and single dots, "
          "and names in other scripts in their xn-- form");
    }
  }
  if (is_number(label) && !IpAddress::parse(host)) {
    return fail(
        "its host ends in a number and is no IPv4 address written as browsers send it: four "
        "numbers up to 255");
  }
  return host;
}

}  // namespace

Result<Origin> Origin::parse(std::string_view text) {
  const std::size_t scheme_end = text.find(separator);
  if (scheme_end == std::string_view::npos || !is_scheme(text.substr(0, scheme_end))) {
    return fail("it is not an origin such as https://example.org");
  }
  Origin origin{.scheme = lower_case(text.substr(0, scheme_end)), .host = {}, .port = {}};
  constexpr std::array<std::string_view, 6> opaque{"about", "blob",       "data",
                                                   "file",  "javascript", "ftp"};
  if (std::ranges::find(opaque, origin.scheme) != opaque.end()) {
    return fail("pages of " + origin.scheme + ": have the origin null, which is everybody's");
  }
  if (origin.scheme == "ws" || origin.scheme == "wss") {
    return fail("pages come over http or https, also those that connect over " + origin.scheme);
  }
  const std::string_view rest = text.substr(scheme_end + separator.size());
  if (rest.find_first_of("/?#\\") != std::string_view::npos) {
    return fail("an origin ends with its host or port: no path, not even '/'");
  }
  if (rest.find('@') != std::string_view::npos) return fail("an origin names no user");

  const std::size_t bracket = std::min(rest.rfind(']'), rest.size());
  const std::size_t colon =
      std::min(rest.find(':', bracket == rest.size() ? 0 : bracket), rest.size());
  auto host = parse_host(rest.substr(0, colon));
  if (!host) return std::unexpected(host.error());
  origin.host = std::move(*host);
  if (colon == rest.size()) return origin;

  std::uint16_t port = 0;
  const char* const end = rest.data() + rest.size();
  const auto [stopped, error] = std::from_chars(rest.data() + colon + 1, end, port);
  if (error != std::errc{} || stopped != end || port == 0) {
    return fail("its port is not a number from 1 to 65535");
  }
  if (port != own_port(origin.scheme)) origin.port = port;
  return origin;
}

Result<AllowedOrigin> AllowedOrigin::parse(std::string_view text) {
  const auto never_matches = [text](std::string_view why) {
    return fail('\'' + std::string(text) + "' matches no page's origin: " + std::string(why));
  };
  AllowedOrigin allowed;
  if (text == "*") return allowed;
  if (text == "null") {
    allowed.kind_ = Kind::opaque;
    return allowed;
  }
  std::string domain(text);
  const std::size_t host = text.find(separator) + separator.size();
  const bool wild = text.find(separator) != std::string_view::npos &&
                    text.substr(host).starts_with(any_subdomain);
  if (wild) domain.erase(host, any_subdomain.size());
  if (domain.find('*') != std::string::npos) {
    return never_matches(
        "'*' stands alone for everybody, or as '*.' before a domain for all of its subdomains");
  }
  auto origin = Origin::parse(domain);
  if (!origin) return never_matches(origin.error().message);
  if (wild && (origin->host.starts_with('[') || IpAddress::parse(origin->host))) {
    return never_matches("an address has no subdomains");
  }
  allowed.kind_ = wild ? Kind::subdomains : Kind::one;
  allowed.origin_ = std::move(*origin);
  return allowed;
}

bool AllowedOrigin::allows(const Origin& origin) const {
  switch (kind_) {
    case Kind::everybody:
      return true;
    case Kind::opaque:
      return false;
    case Kind::one:
      return origin == origin_;
    case Kind::subdomains:
      return origin.scheme == origin_.scheme && origin.port == origin_.port &&
             origin.host.ends_with('.' + origin_.host);
  }
  return false;
}

bool is_own_origin(const Origin& origin, std::string_view host) {
  return (origin.scheme == "http" || origin.scheme == "https") &&
         Origin::parse(origin.scheme + std::string(separator).append(host)) == origin;
}

bool origin_allowed(std::string_view origin, std::string_view host,
                    std::span<const AllowedOrigin> allowed) {
  if (origin.empty() || std::ranges::any_of(allowed, &AllowedOrigin::allows_everybody)) return true;
  if (origin == "null") return std::ranges::any_of(allowed, &AllowedOrigin::allows_opaque);
  const auto parsed = Origin::parse(origin);
  if (!parsed) return false;
  if (allowed.empty()) return is_own_origin(*parsed, host);
  return std::ranges::any_of(allowed,
                             [&](const AllowedOrigin& entry) { return entry.allows(*parsed); });
}

}  // namespace ringcast::ws
