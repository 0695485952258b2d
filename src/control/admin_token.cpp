#include "control/admin_token.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

namespace ringcast::server {
namespace {

constexpr std::size_t base64_group = 4;
constexpr std::size_t base64_bytes = 3;

/// What follows "`scheme` " in the header; schemes have no case (RFC 9110 section 11.1).
std::optional<std::string_view> credentials_of(std::string_view authorization,
                                               std::string_view scheme) {
  const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
  if (authorization.size() <= scheme.size() || authorization[scheme.size()] != ' ' ||
      !std::ranges::equal(authorization.substr(0, scheme.size()), scheme, same)) {
    return std::nullopt;
  }
  authorization.remove_prefix(scheme.size());
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' '), authorization.size()));
  return authorization;
}

std::string_view without_line_end(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

/// What is wrong with it, as the end of a sentence; nothing when it is a token.
std::optional<std::string> mistake(std::string_view text) {
  const auto is_printable = [](char character) { return character > ' ' && character < 0x7f; };
  if (text.empty() || text.size() > AdminToken::bytes_max ||
      !std::ranges::all_of(text, is_printable)) {
    return fmt::format(
        "is not a token: one line of {} to {} letters, digits and signs, without "
        "spaces",
        AdminToken::bytes_min, AdminToken::bytes_max);
  }
  if (text.size() >= AdminToken::bytes_min) return std::nullopt;
  return fmt::format(
      "is too short for a token: {} characters, and at least {} are asked for; `openssl rand -hex "
      "32` makes a good one",
      text.size(), AdminToken::bytes_min);
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % base64_group != 0) return std::nullopt;
  std::vector<unsigned char> bytes(text.size() / base64_group * base64_bytes);
  const int count =
      ::EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),
                        static_cast<int>(text.size()));
  if (count < 0) return std::nullopt;
  // It counts the bytes of padding as well.
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  return std::string(bytes.begin(), bytes.end() - static_cast<std::ptrdiff_t>(padding));
}

}  // namespace

Result<AdminToken> AdminToken::parse(std::string_view text) {
  const std::string_view line = without_line_end(text);
  if (auto wrong = mistake(line)) return fail(std::move(*wrong));
  return AdminToken(digest_of(line));
}

bool AdminToken::is_bearer(std::string_view authorization) const {
  const auto token = credentials_of(authorization, "bearer");
  return token && matches(*token);
}

bool AdminToken::is_basic(std::string_view authorization) const {
  const auto encoded = credentials_of(authorization, "basic");
  const auto decoded = encoded ? decode_base64(*encoded) : std::nullopt;
  // The user's name can't have a colon, the password can.
  const std::size_t colon = decoded ? decoded->find(':') : std::string::npos;
  return colon != std::string::npos && matches(std::string_view(*decoded).substr(colon + 1));
}

AdminToken::Digest AdminToken::digest_of(std::string_view text) {
  Digest digest{};
  unsigned int size = 0;
  ::EVP_Digest(text.data(), text.size(), digest.data(), &size, ::EVP_sha256(), nullptr);
  return digest;
}

bool AdminToken::matches(std::string_view candidate) const {
  const Digest digest = digest_of(candidate);
  return ::CRYPTO_memcmp(digest.data(), digest_.data(), digest_.size()) == 0;
}

Result<std::string> read_admin_token(const std::string& path) {
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(path, ignored);
  std::ifstream file(path, std::ios::binary);
  if (!file || is_folder) {
    return fail(
        fmt::format("{}: cannot be read: {}", path, std::strerror(is_folder ? EISDIR : errno)));
  }
  // One byte more than a token and its line's end may have tells a longer one.
  std::string text(AdminToken::bytes_max + 3, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  text.resize(without_line_end(text).size());
  if (const auto wrong = mistake(text)) return fail(fmt::format("{}: {}", path, *wrong));
  return text;
}

}  // namespace ringcast::server
