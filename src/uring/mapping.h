// Anonymous memory straight from the kernel: page-aligned, zero, and free of cost until touched.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "base/result.h"

namespace ringcast::uring {

/// Owns one mapping. Moving hands it over; destruction unmaps.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  /// `purpose` completes the sentence "cannot map N bytes for ..." of the error.
  [[nodiscard]] static Result<Mapping> create(std::size_t size, const char* purpose);
  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace ringcast::uring
