// What every target needs: a check that ends the process, so that libFuzzer keeps the input.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <span>

namespace ringcast::fuzz {

/// A property holds, or the run ends here.
inline void require(bool holds, const char* property,
                    std::source_location where = std::source_location::current()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%u: broken: %s\n", where.file_name(), where.line(), property);
  std::abort();
}

/// A byte that steers a target, taken from the front of its input; 0 when there is none.
inline std::size_t take_byte(std::span<const std::byte>& input) {
  if (input.empty()) return 0;
  const auto byte = std::to_integer<std::size_t>(input.front());
  input = input.subspan(1);
  return byte;
}

}  // namespace ringcast::fuzz
