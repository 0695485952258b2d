// Where rooms are kept while no server runs: a file a room, replaced as a whole, so that whatever
// happens in between either the old one or the new one is there. Blocks: for the control thread,
// and before the cores start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "core/saved_room.h"

namespace ringcast::server {

/// A file's bytes: "ringcast", the version of the format, a SHA-256 of what follows, and the room.
[[nodiscard]] std::vector<std::byte> encode(const SavedRoom& room);
/// The error says what the bytes are instead, as the end of a sentence that begins with a file.
[[nodiscard]] Result<SavedRoom> decode_saved_room(std::span<const std::byte> bytes);

/// Whether the state directory at `path` has a file of the room. Opens nothing, so it may be asked
/// beside the server whose directory it is; one that there is not yet has none.
[[nodiscard]] Result<bool> has_saved_room(const std::string& path, std::string_view room);

/// Why a file is of no use.
struct LoadError {
  std::string message;
  bool unreadable = false;  ///< the kernel did not give its bytes, as for lack of permission
};

/// Closes the descriptor, where nobody else has.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~File();
  [[nodiscard]] int get() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

class StateDirectory {
 public:
  /// So many useless files of a room are kept; of more, the newest takes the place of the last.
  static constexpr std::uint32_t set_aside_max = 9;
  /// So many files of rooms that nobody runs are kept; of more, the longest unwritten goes.
  static constexpr std::size_t left_rooms_max = 256;

  /// Nobody else uses the directory as long as this does (flock(2) on its file `lock`). An error
  /// when another server does, or when `path` is no directory that can be written to.
  [[nodiscard]] static Result<StateDirectory> open(std::string path);

  /// Written beside the old file, made durable (fsync(2)) and renamed over it. On an error the old
  /// file is as it was. A room that was to be left alone is not saved, and that is an error as
  /// well.
  [[nodiscard]] Result<void> save(const SavedRoom& room) const;
  /// The same of a file that is no room's; `name` has neither a slash nor a room's prefix.
  [[nodiscard]] Result<void> replace(std::string_view name, std::span<const std::byte> bytes) const;
  /// Nothing when there is none of that name.
  [[nodiscard]] Result<std::optional<std::vector<std::byte>>> read(std::string_view name) const;
  /// Nothing when there is none of that name. With `unreadable` the error is not the file's: the
  /// same bytes may be good once they can be read. Waits for nobody, whatever lies there.
  [[nodiscard]] std::expected<std::optional<SavedRoom>, LoadError> load(
      std::string_view room) const;
  /// Renames a file that is of no use, so that somebody can look at it and nothing overwrites it:
  /// to .bad, or the first of .bad.2 to .bad.9 that is free. Returns the new name's end.
  [[nodiscard]] Result<std::string> set_aside(std::string_view room) const;
  /// Its file, which could not be read, is not to be overwritten.
  void leave_alone(std::string_view room) { left_alone_.emplace(room); }
  [[nodiscard]] bool is_left_alone(std::string_view room) const {
    return left_alone_.contains(room);
  }
  /// Of all rooms that there are files of, in the order of their names. An error when the directory
  /// cannot be read.
  [[nodiscard]] Result<std::vector<std::string>> names() const;
  /// Whether there is a file of that name, be it good or not.
  [[nodiscard]] bool has(std::string_view room) const;
  /// Does nothing when there is none of that name.
  [[nodiscard]] Result<void> remove(std::string_view room) const;
  /// Keeps left_rooms_max files at most of rooms of which `is_there` knows nothing, the newest.
  /// Returns the names of those that it removed.
  std::vector<std::string> forget_oldest(
      const std::function<bool(std::string_view)>& is_there) const;
  [[nodiscard]] std::string file(std::string_view room) const;

 private:
  StateDirectory(std::string path, File lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  File lock_;
  std::set<std::string, std::less<>> left_alone_;
};

}  // namespace ringcast::server
