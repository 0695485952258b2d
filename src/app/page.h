// The demo page's files, embedded by scripts/embed_page.py from the folder that the build option
// `page` names.
#pragma once

#include <span>

#include "session/page.h"

namespace ringcast::app {

[[nodiscard]] std::span<const server::PageFile> page_files();

}  // namespace ringcast::app
