// Keys as they lie in files: secrets, PEM, sets of JSON Web Keys (RFC 7517).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/key.h"
#include "base/result.h"

namespace ringcast::auth {

struct KeyFiles {
  std::string secret_file;  ///< HS256; empty: none, likewise the next
  std::string jwks_file;
  std::vector<std::string> public_key_files;  ///< PEM, one key each

  friend bool operator==(const KeyFiles&, const KeyFiles&) = default;
};

inline constexpr std::size_t keys_max = 64;

/// All keys of all files, and no more of them without a name than a token is tried with. Blocks;
/// waits for nobody, should one be a pipe. The error names the file and says what is wrong with it.
[[nodiscard]] Result<std::vector<Key>> read_keys(const KeyFiles& files);

/// What a key's file has, at most 256 KiB of it. Likewise.
[[nodiscard]] Result<std::string> read_key_file(const std::string& path);

/// The file's bytes without the line ends at its end.
[[nodiscard]] Result<Key> parse_secret(std::string_view text);
/// One public key (RFC 7468 section 13), or the public part of a certificate (section 5).
[[nodiscard]] Result<Key> parse_public_key(std::string_view pem);
/// Of a set those keys that a token may be checked with: others, such as for encryption, are passed
/// over. A private key is an error, since a server that checks needs none.
[[nodiscard]] Result<std::vector<Key>> parse_jwks(std::string_view json);

}  // namespace ringcast::auth
