// The demo page's files, served to browsers at the public address.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace ringcast::server {

struct PageFile {
  std::string_view path;  ///< "/" or "/app-1a2b3c.js"
  std::string_view content_type;
  std::string_view cache_control;
  std::span<const std::byte> bytes;  ///< static storage
};

}  // namespace ringcast::server
