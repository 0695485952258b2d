// What a simulation has thrown, in words.
#pragma once

#include <exception>
#include <string>

namespace ringcast {

/// What the exception in flight says of itself. To be called while one is handled.
[[nodiscard]] inline std::string what_was_thrown() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

}  // namespace ringcast
