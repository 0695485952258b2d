#include "control/admin_gate.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace ringcast::server {
namespace {

/// An address that has not guessed lately is forgotten once there are so many.
constexpr std::size_t guessers_max = 1'024;

char lower(char character) {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character | 0x20) : character;
}

bool same_text(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool is_loopback(const IpAddress& address) {
  static const IpNetwork ipv4 = *IpNetwork::parse("127.0.0.0/8");
  static const IpNetwork ipv6 = *IpNetwork::parse("::1");
  return ipv4.contains(address) || ipv6.contains(address);
}

struct Authority {
  std::string_view host;  ///< of an IPv6 address without its brackets
  std::string_view port;  ///< empty: none was given
};

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size();
}

/// HOST[:PORT] (RFC 9110 section 7.2); nothing when it is not that.
std::optional<Authority> authority_of(std::string_view text) {
  Authority found;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    found.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
  } else {
    const std::size_t end = std::min(text.find(':'), text.size());
    found.host = text.substr(0, end);
    text.remove_prefix(end);
  }
  if (found.host.empty()) return std::nullopt;
  if (text.empty()) return found;
  found.port = text.substr(1);
  if (text.front() != ':' || !is_port(found.port)) return std::nullopt;
  return found;
}

IpAddress guesser(const IpAddress& from) {
  constexpr std::uint32_t of_one_customer = 64;
  if (is_loopback(from)) return {};
  return from.is_ipv4() ? from : from.first_bits(of_one_customer);
}

bool is_json(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  return same_text(type, "application/json");
}

/// A whole URL's authority counts, and not the Host field (RFC 9112 section 3.2.2): nobody who
/// means well sends two that differ.
bool target_differs_from_host(const AdminAsked& asked) {
  constexpr std::string_view separator = "://";
  const std::string_view target = asked.target;
  if (target.starts_with('/') || target == "*") return false;
  const std::size_t scheme_end = target.find(separator);
  if (scheme_end == std::string_view::npos) return false;
  const std::string_view rest = target.substr(scheme_end + separator.size());
  return !same_text(rest.substr(0, rest.find_first_of("/?#")), asked.host);
}

std::optional<AdminAnswer> foreign(const AdminAsked& asked, const AdminView& view) {
  if (asked.host_headers > 1 || asked.origin_headers > 1) {
    return plain_text_answer(400, "There must be one Host and one Origin at most.");
  }
  // Programs may leave it out in HTTP/1.0, and no browser speaks that.
  if (asked.host_headers == 0) {
    if (asked.version < 11 && asked.origin_headers == 0) return std::nullopt;
    return plain_text_answer(400, "There must be a Host.");
  }
  if (target_differs_from_host(asked)) {
    return plain_text_answer(400, "The host in the URL and the Host field must be the same.");
  }
  if (!is_own_host(asked.host, asked.here, view.hosts)) {
    return plain_text_answer(403,
                             "This Host is none of the admin address's: ask by the address itself, "
                             "or put the name into admin_hosts.");
  }
  if (asked.origin_headers != 0 && !is_own_origin(asked.origin, asked.host)) {
    return plain_text_answer(403, "A page of another site may not ask the admin address.");
  }
  // A page need not send an Origin with what it only embeds. A link that is followed is no page's
  // doing.
  const bool is_embedded = !asked.fetch_site.empty() && asked.fetch_site != "same-origin" &&
                           asked.fetch_site != "none" && asked.fetch_dest != "document";
  if (is_embedded) {
    return plain_text_answer(403, "A page of another site may not ask the admin address.");
  }
  return std::nullopt;
}

}  // namespace

bool is_own_host(std::string_view host, const std::optional<IpAddress>& here,
                 std::span<const std::string> names) {
  const auto authority = authority_of(host);
  if (!authority) return false;
  if (same_text(authority->host, "localhost")) return true;
  const auto is_it = [&](const std::string& name) { return same_text(name, authority->host); };
  if (std::ranges::any_of(names, is_it)) return true;
  const auto address = IpAddress::parse(authority->host);
  return address && (is_loopback(*address) || address == here);
}

bool is_own_origin(std::string_view origin, std::string_view host) {
  constexpr std::array<std::array<std::string_view, 2>, 2> schemes = {
      {{"http://", "80"}, {"https://", "443"}}};
  const auto asked = authority_of(host);
  for (const auto& [scheme, default_port] : schemes) {
    if (!asked || !origin.starts_with(scheme)) continue;
    const auto page = authority_of(origin.substr(scheme.size()));
    const auto port = [&](const Authority& of) { return of.port.empty() ? default_port : of.port; };
    return page && same_text(page->host, asked->host) && port(*page) == port(*asked);
  }
  return false;
}

bool is_host_name(std::string_view text) {
  constexpr std::size_t bytes_max = 253;
  const auto may_be_in_it = [](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  };
  if (IpAddress::parse(text)) return true;
  return !text.empty() && text.size() <= bytes_max && std::ranges::all_of(text, may_be_in_it);
}

std::optional<AdminAnswer> AdminGate::refusal(const AdminAsked& asked, const AdminView& view,
                                              Instant now) {
  if (auto refused = foreign(asked, view)) return refused;
  const IpAddress from = asked.from.value_or(IpAddress());
  const bool guesses = view.token && !asked.authorization.empty();
  if (guesses && !may_guess(from, now)) {
    AdminAnswer refused = plain_text_answer(429, "There were too many wrong tokens; wait a while.");
    refused.retry_after_s = 1;
    return refused;
  }
  if (auto refused = server::refusal(asked.method, asked.target, asked.authorization, view)) {
    if (guesses) count_guess(from, now);
    return refused;
  }
  if (asked.has_body && !is_json(asked.content_type)) {
    return plain_text_answer(415, "A body must be of Content-Type: application/json.");
  }
  return std::nullopt;
}

bool AdminGate::may_guess(const IpAddress& from, Instant now) {
  const auto found = guesses_.find(guesser(from).bytes());
  const bool its_own =
      found == guesses_.end() || found->second.holds(1, guesses_per_second, guesses_burst, now);
  return its_own && (is_loopback(from) ||
                     all_guesses_.holds(1, all_guesses_per_second, all_guesses_burst, now));
}

void AdminGate::count_guess(const IpAddress& from, Instant now) {
  if (!is_loopback(from)) {
    static_cast<void>(all_guesses_.take(1, all_guesses_per_second, all_guesses_burst, now));
  }
  // Fewer than so many can have guessed within the time in which their buckets fill again, since
  // all together have a limit.
  if (guesses_.size() >= guessers_max) {
    std::erase_if(guesses_, [now](const auto& entry) {
      return entry.second.is_full(guesses_per_second, guesses_burst, now);
    });
  }
  static_cast<void>(
      guesses_[guesser(from).bytes()].take(1, guesses_per_second, guesses_burst, now));
}

}  // namespace ringcast::server
