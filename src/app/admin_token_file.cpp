#include "app/admin_token_file.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace ringcast::app {
namespace {

/// What can't be looked at counts as there, and so does a link to nowhere: reading it says what is
/// wrong, while to pass it over would leave the address open.
bool may_be_there(const std::filesystem::path& file) {
  std::error_code unknown;
  return std::filesystem::symlink_status(file, unknown).type() !=
         std::filesystem::file_type::not_found;
}

std::string_view environment(const char* variable) {
  const char* const value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? std::string_view() : value;
}

std::optional<std::string> token_in(std::string_view folder) {
  if (folder.empty()) return std::nullopt;
  const std::filesystem::path file = std::filesystem::path(folder) / "admin-token";
  if (!may_be_there(file)) return std::nullopt;
  return file.string();
}

std::optional<std::string> admin_token_file(const config::Config& config) {
  if (config.admin_token_file) return config.admin_token_file;
  for (std::string_view folders = environment("RUNTIME_DIRECTORY"); !folders.empty();) {
    const std::size_t end = std::min(folders.find(':'), folders.size());
    if (auto file = token_in(folders.substr(0, end))) return file;
    folders.remove_prefix(std::min(end + 1, folders.size()));
  }
  // One folder, and the unit's name in its path may have a colon.
  return token_in(environment("CREDENTIALS_DIRECTORY"));
}

}  // namespace

Result<std::optional<server::AdminToken>> read_admin_token(const config::Config& config) {
  const auto file = admin_token_file(config);
  if (!file) return std::optional<server::AdminToken>();
  // Nobody may be waited for: a reload has a watchdog behind it.
  std::error_code nothing_there;
  if (std::filesystem::is_fifo(*file, nothing_there)) {
    return fail(*file + ": cannot be read: it is a pipe; the token must be in a file");
  }
  const auto text = server::read_admin_token(*file);
  if (!text) return std::unexpected(text.error());
  auto token = server::AdminToken::parse(*text);
  if (!token) return std::unexpected(token.error());
  return std::optional(*token);
}

}  // namespace ringcast::app
