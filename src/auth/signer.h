// Makes tokens, for whoever tries things out: `ringcast token` and tests. A server signs nothing.
#pragma once

#include <string>
#include <string_view>

#include "auth/key.h"
#include "base/result.h"

namespace ringcast::auth {

class Signer {
 public:
  /// A private key in PEM (RFC 7468 section 10) of a kind that algorithm_for() takes, or else the
  /// secret of HS256, as parse_secret() reads it. The error is the end of a sentence.
  [[nodiscard]] static Result<Signer> parse(std::string_view text);
  /// The same of a file.
  [[nodiscard]] static Result<Signer> read(const std::string& path);

  [[nodiscard]] Algorithm algorithm() const { return algorithm_; }
  /// The token of `claims`, a JSON object, which is signed as it is. `key_id` becomes `kid`, unless
  /// it is empty.
  [[nodiscard]] Result<std::string> sign(std::string_view claims,
                                         std::string_view key_id = {}) const;

 private:
  Signer() = default;

  Algorithm algorithm_{};
  std::string secret_;
  KeyPointer key_;
};

}  // namespace ringcast::auth
