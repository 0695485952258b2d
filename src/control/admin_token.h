// The secret that whoever asks the admin endpoint for more than its health has to show, as HTTP
// carries it: Bearer (RFC 6750 section 2.1) for programs, Basic (RFC 7617) for browsers.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ringcast::server {

class AdminToken {
 public:
  static constexpr std::size_t bytes_min = 16;
  static constexpr std::size_t bytes_max = 1'024;

  /// Only its digest is kept. A newline at the end of `text` is not part of it. The error says what
  /// a token is made of.
  [[nodiscard]] static Result<AdminToken> parse(std::string_view text);
  /// `authorization`: the value of that header (RFC 9110 section 11.6.2). How long this takes tells
  /// nothing of the token.
  [[nodiscard]] bool is_bearer(std::string_view authorization) const;
  /// The same with the token as the password, whoever the user.
  [[nodiscard]] bool is_basic(std::string_view authorization) const;

  friend bool operator==(const AdminToken&, const AdminToken&) = default;

 private:
  using Digest = std::array<unsigned char, 32>;  // SHA-256

  explicit AdminToken(const Digest& digest) : digest_(digest) {}
  [[nodiscard]] static Digest digest_of(std::string_view text);
  [[nodiscard]] bool matches(std::string_view candidate) const;

  Digest digest_;
};

/// The token in the file, without the newline at its end; the error begins with `path`.
[[nodiscard]] Result<std::string> read_admin_token(const std::string& path);

}  // namespace ringcast::server
