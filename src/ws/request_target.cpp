#include "ws/request_target.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>

#include "base/ip_address.h"
#include "ws/http_text.h"

namespace ringcast::ws {
namespace {

constexpr std::string_view sub_delimiters = "!$&'()*+,;=";

constexpr bool is_unreserved(char c) {
  return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/// What may stand in a path or a query. Browsers escape blanks, controls, '"', '<', '>' and
/// whatever is not ASCII in both; '#' ends the part of a URL that is sent at all.
constexpr bool is_target_character(char c) {
  return c > ' ' && c < '\x7f' && c != '"' && c != '#' && c != '<' && c != '>';
}

std::optional<unsigned> hexadecimal(std::string_view digits) {
  unsigned value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, value, 16);
  if (digits.size() != 2 || error != std::errc{} || stopped != end) return std::nullopt;
  return value;
}

bool is_port(std::string_view text) {
  if (text.empty()) return true;  // RFC 3986 section 3.2.3: as if there were no colon
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, port);
  return error == std::errc{} && stopped == end;
}

bool is_registered_name(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%') {
      if (!hexadecimal(text.substr(at + 1, 2))) return false;
      at += 2;
    } else if (!is_unreserved(text[at]) &&
               sub_delimiters.find(text[at]) == std::string_view::npos) {
      return false;
    }
  }
  return !text.empty();
}

/// What stands in brackets: IPv6, or a form that is yet to be invented ("v1.x").
bool is_ip_literal(std::string_view text) {
  if (!text.starts_with('v') && !text.starts_with('V')) {
    return text.find(':') != std::string_view::npos && IpAddress::parse(text).has_value();
  }
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return false;
  const std::string_view version = text.substr(1, dot - 1);
  const std::string_view address = text.substr(dot + 1);
  return !version.empty() && !address.empty() &&
         version.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos &&
         std::ranges::all_of(address, [](char c) {
           return is_unreserved(c) || c == ':' || sub_delimiters.find(c) != std::string_view::npos;
         });
}

/// What is behind the scheme and its slashes of a URL whose server we may be; nothing for another.
std::optional<std::string_view> behind_scheme(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://", "ws://", "wss://"}) {
    if (equal_ignoring_case(target.substr(0, scheme.size()), scheme)) {
      return target.substr(scheme.size());
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<RequestTarget> parse_target(std::string_view target) {
  if (!std::ranges::all_of(target, is_target_character)) return std::nullopt;
  RequestTarget parsed;
  if (!target.starts_with('/')) {
    const auto rest = behind_scheme(target);
    if (!rest) return std::nullopt;
    const std::size_t authority_end = std::min(rest->find_first_of("/?"), rest->size());
    if (!is_authority(rest->substr(0, authority_end))) return std::nullopt;
    parsed.has_authority = true;
    target = rest->substr(authority_end);
  }
  const std::size_t mark = std::min(target.find('?'), target.size());
  parsed.path = normalized_path(target.substr(0, mark));
  if (parsed.path.empty()) parsed.path = '/';
  parsed.query = target.substr(std::min(mark + 1, target.size()));
  return parsed;
}

std::string normalized_path(std::string_view path) {
  std::string normalized;
  for (std::size_t at = 0; at < path.size(); ++at) {
    const auto decoded = path[at] == '%' ? hexadecimal(path.substr(at + 1, 2)) : std::nullopt;
    if (decoded && *decoded < 0x80 && is_unreserved(static_cast<char>(*decoded))) {
      normalized += static_cast<char>(*decoded);
      at += 2;
    } else {
      normalized += path[at];
    }
  }
  return normalized;
}

bool is_authority(std::string_view text) {
  std::size_t host_end = std::min(text.find(':'), text.size());
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos || !is_ip_literal(text.substr(1, bracket - 1))) {
      return false;
    }
    host_end = bracket + 1;
  } else if (!is_registered_name(text.substr(0, host_end))) {
    return false;
  }
  const std::string_view port = text.substr(host_end);
  return port.empty() || (port.starts_with(':') && is_port(port.substr(1)));
}

}  // namespace ringcast::ws
