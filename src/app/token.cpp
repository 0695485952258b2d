#include "app/token.h"

#include <sys/random.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "app/auth_keys.h"
#include "app/command_line.h"
#include "app/commands.h"
#include "auth/signer.h"
#include "auth/strict_json.h"
#include "base/base64url.h"
#include "base/clock.h"

namespace ringcast::app {
namespace {

int failed(int code, const Error& error) {
  std::fputs((error.message + '\n').c_str(), stderr);
  return code;
}

}  // namespace

Result<std::string> claims_of(const TokenCommand& command, const auth::Options& options,
                              auth::UnixSeconds now, std::string_view id) {
  nlohmann::json claims = nlohmann::json::object();
  if (!command.claims.empty()) {
    auto read = auth::read_strict_json(command.claims);
    if (!read) return fail("--claims must be one JSON object, with no key twice");
    claims = std::move(*read);
  }
  claims["sub"] = command.subject;
  claims["iat"] = now;
  claims["exp"] = now + command.seconds;
  claims["jti"] = id;
  const std::string issuer = command.issuer.value_or(options.issuer);
  const std::string audience = command.audience.value_or(options.audience);
  if (!issuer.empty()) claims["iss"] = issuer;
  if (!audience.empty()) claims["aud"] = audience;
  if (!options.rooms_claim.empty()) {
    claims[options.rooms_claim] =
        command.rooms.empty() ? std::vector<std::string>{"*"} : command.rooms;
  }
  return claims.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

int token(const TokenCommand& command, const SimulationRegistry& simulations) {
  const auto config = config::load_config(command.flags, simulations);
  if (!config) return failed(exit_mistake, config.error());
  auth::KeyFiles files = config->auth_files;
  if (command.key) files.secret_file = *command.key;
  if (files.secret_file.empty()) {
    return failed(exit_mistake,
                  {"there is nothing to sign with: name a private key or a secret with --key, or a "
                   "configuration that has auth.secret_file with --config"});
  }
  if (const auto resolved = resolve_key_files(files); !resolved) {
    return failed(exit_mistake, resolved.error());
  }
  const auto signer = auth::Signer::read(files.secret_file);
  if (!signer) return failed(exit_mistake, signer.error());
  std::array<std::byte, 16> id{};
  if (::getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size())) {
    return failed(exit_failed, {"the kernel has no random numbers"});
  }
  const auth::UnixSeconds now = SystemClock().unix_now() / 1'000'000'000;
  const auto claims = claims_of(command, config->core.auth, now, base64url(id));
  if (!claims) return failed(exit_mistake, claims.error());
  const auto made = signer->sign(*claims, command.key_id);
  if (!made) return failed(exit_failed, made.error());
  std::fputs((*made + '\n').c_str(), stdout);
  return exit_ok;
}

}  // namespace ringcast::app
