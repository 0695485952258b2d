// The keys that tokens are checked with, from the files that the configuration names.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace ringcast::app {

/// A name that begins with `$CREDENTIALS_DIRECTORY/` is a credential of the unit (systemd.exec(5)):
/// it becomes that file's.
[[nodiscard]] Result<void> resolve_key_files(auth::KeyFiles& files);

/// Reads config.auth_files, so resolved, into config.core.auth.keys. The error names the file.
[[nodiscard]] Result<void> read_auth_keys(config::Config& config);

/// Of these files, once read, those with a secret that every user of this machine can read, and so
/// sign with.
[[nodiscard]] std::vector<std::string> secrets_for_everybody(const config::Config& config);

}  // namespace ringcast::app
