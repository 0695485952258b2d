#include "app/auth_keys.h"

#include <sys/stat.h>

#include <algorithm>
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

bool everybody_reads(const std::string& file) {
  struct stat status{};
  return ::stat(file.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0;
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

std::vector<std::string> secrets_for_everybody(const config::Config& config) {
  auth::KeyFiles files = config.auth_files;
  std::vector<std::string> found;
  if (!resolve_key_files(files)) return found;
  const bool has_secret_file = !files.secret_file.empty();
  if (has_secret_file && everybody_reads(files.secret_file)) found.push_back(files.secret_file);
  const auto secrets =
      std::ranges::count(config.core.auth.keys, auth::Algorithm::hs256, &auth::Key::algorithm);
  const bool set_has_one = secrets > (has_secret_file ? 1 : 0);
  if (set_has_one && everybody_reads(files.jwks_file)) found.push_back(files.jwks_file);
  return found;
}

}  // namespace ringcast::app
