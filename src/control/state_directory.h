// Where rooms are kept while no server runs: a file a room, replaced as a whole, so that whatever
// happens in between either the old one or the new one is there. Blocks: for the control thread,
// and before the cores start.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
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

class StateDirectory {
 public:
  /// An error when `path` is no directory that can be written to.
  [[nodiscard]] static Result<StateDirectory> open(std::string path);

  /// Written beside the old file, made durable (fsync(2)) and renamed over it. On an error the old
  /// file is as it was.
  [[nodiscard]] Result<void> save(const SavedRoom& room) const;
  /// Nothing when there is none of that name.
  [[nodiscard]] Result<std::optional<SavedRoom>> load(std::string_view room) const;
  /// Renames a file that is of no use, so that somebody can look at it, and the next save does not
  /// overwrite it. A second one replaces the first.
  [[nodiscard]] Result<void> set_aside(std::string_view room) const;
  /// Of all rooms that there are files of, in the order of their names. An error when the directory
  /// cannot be read.
  [[nodiscard]] Result<std::vector<std::string>> names() const;
  /// Does nothing when there is none of that name.
  [[nodiscard]] Result<void> remove(std::string_view room) const;
  [[nodiscard]] std::string file(std::string_view room) const;

 private:
  explicit StateDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace ringcast::server
