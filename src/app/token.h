// `ringcast token`: a token as a backend would sign it, for whoever tries things out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/verifier.h"
#include "base/result.h"
#include "config/config.h"

namespace ringcast::app {

struct TokenCommand {
  config::ConfigFlags flags;       ///< whose [auth] says what the token has to have
  std::optional<std::string> key;  ///< a private key or a secret; none: auth.secret_file
  std::string key_id;
  std::string subject = "somebody";
  std::vector<std::string> rooms;     ///< none: all
  std::uint32_t seconds = 3'600;      ///< that it is good for
  std::optional<std::string> issuer;  ///< none: the configuration's; likewise the next
  std::optional<std::string> audience;
  std::string claims;  ///< others, as one JSON object
};

/// The claims, as one JSON object; `id` becomes `jti`. The error is a sentence.
[[nodiscard]] Result<std::string> claims_of(const TokenCommand& command,
                                            const auth::Options& options, auth::UnixSeconds now,
                                            std::string_view id);

}  // namespace ringcast::app
