// Fallible set-up code returns a Result: a value, or one sentence that a person can act on.
// Runtime paths (ring, sessions, rooms) return named enums instead; they never build strings.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace ringcast {

/// What went wrong and what to do about it, in one sentence without a trailing newline.
struct Error {
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(std::string message) {
  return std::unexpected<Error>(Error{std::move(message)});
}

}  // namespace ringcast
