// The files of the live view, embedded by scripts/embed_page.py from src/control/live.
#pragma once

#include <span>

#include "session/page.h"

namespace ringcast::server {

/// At `/`, `/live.css` and `/live.js` of the admin address.
[[nodiscard]] std::span<const PageFile> live_page_files();

}  // namespace ringcast::server
