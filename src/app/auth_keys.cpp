#include "app/auth_keys.h"

#include <cstdlib>
#include <string>
#include <string_view>

namespace ringcast::app {
namespace {

Result<void> resolve(std::string& file) {
  constexpr std::string_view variable = "$CREDENTIALS_DIRECTORY";
  if (!file.starts_with(std::string(variable) + '/')) return {};
  const char* const directory =
      std::getenv(std::string(variable.substr(1)).c_str());  // NOLINT(concurrency-mt-unsafe)
  if (directory == nullptr || *directory == '\0') {
    return fail(file +
                ": there is no $CREDENTIALS_DIRECTORY; give the unit LoadCredential=, or name "
                "a file");
  }
  file.replace(0, variable.size(), directory);
  return {};
}

}  // namespace

Result<void> resolve_key_files(auth::KeyFiles& files) {
  if (auto good = resolve(files.secret_file); !good) return good;
  if (auto good = resolve(files.jwks_file); !good) return good;
  for (std::string& file : files.public_key_files) {
    if (auto good = resolve(file); !good) return good;
  }
  return {};
}

Result<void> read_auth_keys(config::Config& config) {
  auth::KeyFiles files = config.auth_files;
  if (auto good = resolve_key_files(files); !good) return good;
  auto keys = auth::read_keys(files);
  if (!keys) return std::unexpected(keys.error());
  config.core.auth.keys = std::move(*keys);
  return {};
}

}  // namespace ringcast::app
