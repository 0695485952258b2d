#include "app/admin_token_file.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace ringcast::app {
namespace {

std::optional<std::string> admin_token_file(const Config& config) {
  if (config.admin_token_file) return config.admin_token_file;
  for (const char* const folder : {"RUNTIME_DIRECTORY", "CREDENTIALS_DIRECTORY"}) {
    const char* const path = std::getenv(folder);  // NOLINT(concurrency-mt-unsafe)
    if (path == nullptr || *path == '\0') continue;
    const std::filesystem::path file = std::filesystem::path(path) / "admin-token";
    std::error_code nothing_there;
    if (std::filesystem::exists(file, nothing_there)) return file.string();
  }
  return std::nullopt;
}

}  // namespace

Result<std::optional<server::AdminToken>> read_admin_token(const Config& config) {
  const auto file = admin_token_file(config);
  if (!file) return std::optional<server::AdminToken>();
  const auto text = server::read_admin_token(*file);
  if (!text) return std::unexpected(text.error());
  auto token = server::AdminToken::parse(*text);
  if (!token) return std::unexpected(token.error());
  return std::optional(*token);
}

}  // namespace ringcast::app
