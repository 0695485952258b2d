// Where the admin token comes from. It is in a file, never in the environment or an argument.
#pragma once

#include <optional>

#include "base/result.h"
#include "config/config.h"
#include "control/admin_token.h"

namespace ringcast::app {

/// Of these the first that there is: `admin_token_file` of the configuration; `admin-token` in a
/// folder of systemd's $RUNTIME_DIRECTORY (several have colons between them), where a reload of the
/// service puts a new one; `admin-token` in $CREDENTIALS_DIRECTORY (systemd.exec(5)). Nothing: no
/// token is asked for. The error begins with the file's path.
[[nodiscard]] Result<std::optional<server::AdminToken>> read_admin_token(
    const config::Config& config);

}  // namespace ringcast::app
