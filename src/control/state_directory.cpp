#include "control/state_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/sha.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/little_endian.h"
#include "base/room_name.h"

namespace ringcast::server {
namespace {

constexpr std::string_view magic = "ringcast";
constexpr std::string_view file_prefix = "room-";
constexpr std::string_view file_suffix = ".state";
constexpr std::uint32_t format_version = 1;
constexpr std::size_t ticket_bytes = 3 * sizeof(std::uint32_t);
/// Far above what any room saves; a larger file is none of ours.
constexpr std::size_t file_bytes_max = std::size_t{256} << 20;

using Checksum = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Checksum checksum(std::span<const std::byte> bytes) {
  Checksum sum{};
  ::SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), sum.data());
  return sum;
}

bool write_all(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

/// What lies there under that name, such as what a killed server left, is replaced unread.
bool write_file(const std::string& path, std::span<const std::byte> bytes) {
  ::unlink(path.c_str());
  // The key of the resume tokens is in it: nobody else may read it.
  const File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  return file && write_all(file.get(), bytes) && ::fsync(file.get()) == 0;
}

enum class Written : std::uint8_t { durable, not_durable, not_at_all };

/// errno says why it is not.
Written replace_file(const std::string& directory, const std::string& path,
                     std::span<const std::byte> bytes) {
  const std::string temporary = path + ".new";
  if (!write_file(temporary, bytes) || ::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    errno = error;
    return Written::not_at_all;
  }
  // The new name lasts only with the directory.
  const File opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return opened && ::fsync(opened.get()) == 0 ? Written::durable : Written::not_durable;
}

// A room's name has no slash in it, and the dot before it would matter only without the prefix.
std::string room_file(std::string_view directory, std::string_view room) {
  return fmt::format("{}/{}{}{}", directory, file_prefix, room, file_suffix);
}

/// Nobody else's as long as it is open. The process that has it is told, where it said so.
Result<File> lock_directory(const std::string& directory) {
  const std::string path = directory + "/lock";
  File file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) {
    return fail(fmt::format("{} cannot be opened: {}", path, std::strerror(errno)));
  }
  if (!S_ISREG(status.st_mode)) return fail(fmt::format("{} is not a file; remove it", path));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return fail(fmt::format("{} cannot be locked: {}", path, std::strerror(errno)));
    }
    std::array<char, 16> text{};
    const ssize_t got = ::pread(file.get(), text.data(), text.size(), 0);
    std::string_view process(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    process = process.substr(0, process.find('\n'));
    return fail(
        fmt::format("the state directory {} is in use by another server{}; stop it, or name "
                    "another directory",
                    directory, process.empty() ? "" : fmt::format(" (process {})", process)));
  }
  const std::string process = fmt::format("{}\n", ::getpid());
  if (::ftruncate(file.get(), 0) != 0 ||
      !write_all(file.get(), std::as_bytes(std::span(process)))) {
    // It only helps to find who has the lock: a full disk is no reason not to serve.
  }
  return file;
}

}  // namespace

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::vector<std::byte> encode(const SavedRoom& room) {
  LittleEndianWriter body;
  body.put_text(room.name);
  body.put_text(room.origin.simulation);
  body.put_text(room.origin.definition);
  body.put(std::span<const std::byte>(room.key));
  body.put(static_cast<std::uint8_t>(room.has_state ? 1 : 0));
  body.put(room.room.tick);
  body.put(room.room.member_ids_end);
  body.put(static_cast<std::uint32_t>(room.room.members.size()));
  for (const room::Ticket& ticket : room.room.members) {
    body.put(std::to_underlying(ticket.member));
    body.put(ticket.run);
    body.put(ticket.generation);
  }
  body.put(static_cast<std::uint64_t>(room.room.state.size()));
  body.put(std::span<const std::byte>(room.room.state));

  LittleEndianWriter out;
  out.put(std::as_bytes(std::span(magic)));
  out.put(format_version);
  const Checksum sum = checksum(body.bytes());
  out.put(std::as_bytes(std::span(sum)));
  out.put(body.bytes());
  return out.take();
}

Result<SavedRoom> decode_saved_room(std::span<const std::byte> bytes) {
  LittleEndianReader in(bytes);
  if (!std::ranges::equal(in.bytes(magic.size()), std::as_bytes(std::span(magic)))) {
    return fail("is not a saved room");
  }
  const auto version = in.number<std::uint32_t>();
  if (!in.failed() && version > format_version) {
    return fail(fmt::format("is of format version {}, and this ringcast reads {} at most", version,
                            format_version));
  }
  const std::span<const std::byte> sum = in.bytes(sizeof(Checksum));
  const std::span<const std::byte> body = in.bytes(in.left());
  const Checksum right = checksum(body);
  if (version != format_version || !std::ranges::equal(sum, std::as_bytes(std::span(right)))) {
    return fail("is damaged or cut short: its checksum does not match");
  }
  in = LittleEndianReader(body);
  SavedRoom room;
  room.name = in.text();
  room.origin.simulation = in.text();
  room.origin.definition = in.text();
  std::ranges::copy(in.bytes(room.key.size()), room.key.begin());
  room.has_state = in.number<std::uint8_t>() != 0;
  room.room.tick = in.number<std::uint64_t>();
  room.room.member_ids_end = in.number<std::uint32_t>();
  const auto members = in.number<std::uint32_t>();
  if (members > in.left() / ticket_bytes) return fail("contradicts itself");
  for (std::uint32_t left = members; left > 0; --left) {
    room::Ticket& ticket = room.room.members.emplace_back();
    ticket.member = MemberId{in.number<std::uint32_t>()};
    ticket.run = in.number<std::uint32_t>();
    ticket.generation = in.number<std::uint32_t>();
  }
  const auto state = in.bytes(static_cast<std::size_t>(in.number<std::uint64_t>()));
  room.room.state.assign(state.begin(), state.end());
  if (!in.is_at_end()) return fail("contradicts itself");
  return room;
}

Result<bool> has_saved_room(const std::string& path, std::string_view room) {
  const std::string file = room_file(path, room);
  struct stat status{};
  if (::lstat(file.c_str(), &status) == 0) return true;
  if (errno == ENOENT) return false;
  return fail(fmt::format("{} cannot be looked for: {}", file, std::strerror(errno)));
}

Result<StateDirectory> StateDirectory::open(std::string path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    return fail(fmt::format("the state directory {} cannot be used: {}; make it, or name another",
                            path, std::strerror(errno)));
  }
  if (!S_ISDIR(status.st_mode) || ::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
    return fail(
        fmt::format("the state directory {} is not a directory that this user may write to", path));
  }
  auto lock = lock_directory(path);
  if (!lock) return std::unexpected(lock.error());
  return StateDirectory(std::move(path), std::move(*lock));
}

std::string StateDirectory::file(std::string_view room) const {
  return room_file(path_, room);
}

Result<std::vector<std::string>> StateDirectory::names() const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path_, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string file = entry->path().filename();
    if (!file.starts_with(file_prefix) || !file.ends_with(file_suffix)) continue;
    const std::size_t around = file_prefix.size() + file_suffix.size();
    if (file.size() <= around) continue;
    std::string name = file.substr(file_prefix.size(), file.size() - around);
    if (is_room_name(name)) names.push_back(std::move(name));
  }
  if (error) {
    return fail(fmt::format("the state directory {} cannot be read: {}", path_, error.message()));
  }
  std::ranges::sort(names);
  return names;
}

bool StateDirectory::has(std::string_view room) const {
  return has_saved_room(path_, room).value_or(true);
}

Result<void> StateDirectory::remove(std::string_view room) const {
  const std::string path = file(room);
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return fail(fmt::format("{} cannot be removed: {}", path, std::strerror(errno)));
}

std::vector<std::string> StateDirectory::forget_oldest(
    const std::function<bool(std::string_view)>& is_there) const {
  std::vector<std::pair<std::filesystem::file_time_type, std::string>> left;
  for (std::string& name : names().value_or(std::vector<std::string>{})) {
    if (is_there(name)) continue;
    std::error_code gone;
    const auto written = std::filesystem::last_write_time(file(name), gone);
    if (!gone) left.emplace_back(written, std::move(name));
  }
  std::vector<std::string> removed;
  if (left.size() <= left_rooms_max) return removed;
  std::ranges::sort(left);
  left.resize(left.size() - left_rooms_max);
  for (auto& [written, name] : left) {
    if (remove(name)) removed.push_back(std::move(name));
  }
  return removed;
}

Result<void> StateDirectory::save(const SavedRoom& room) const {
  const std::string final_path = file(room.name);
  if (is_left_alone(room.name)) {
    return fail(
        fmt::format("room {} is not saved: {} could not be read at the start, and is left "
                    "as it is",
                    room.name, final_path));
  }
  switch (replace_file(path_, final_path, encode(room))) {
    case Written::durable:
      return {};
    case Written::not_durable:
      return fail(fmt::format("room {} is saved, but {} could not be made durable: {}", room.name,
                              path_, std::strerror(errno)));
    case Written::not_at_all:
      break;
  }
  return fail(
      fmt::format("room {} could not be saved to {}: {}; what was saved there before is untouched",
                  room.name, final_path, std::strerror(errno)));
}

Result<void> StateDirectory::replace(std::string_view name,
                                     std::span<const std::byte> bytes) const {
  const std::string final_path = fmt::format("{}/{}", path_, name);
  switch (replace_file(path_, final_path, bytes)) {
    case Written::durable:
      return {};
    case Written::not_durable:
      return fail(fmt::format("{} is written, but {} could not be made durable: {}", final_path,
                              path_, std::strerror(errno)));
    case Written::not_at_all:
      break;
  }
  return fail(fmt::format("{} could not be written: {}; what was there before is untouched",
                          final_path, std::strerror(errno)));
}

namespace {

std::unexpected<LoadError> useless(std::string message) {
  return std::unexpected(LoadError{std::move(message), false});
}

std::unexpected<LoadError> unreadable(std::string_view path) {
  return std::unexpected(
      LoadError{fmt::format("{} cannot be read: {}", path, std::strerror(errno)), true});
}

/// Not waiting for who would write to it, should it be a pipe. Nothing when there is none.
std::expected<std::optional<std::vector<std::byte>>, LoadError> read_file(const std::string& path,
                                                                          std::string_view what) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file && (errno == ELOOP || errno == ENXIO)) {
    return useless(fmt::format("{} is not {}", path, what));
  }
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return unreadable(path);
  if (!S_ISREG(status.st_mode) || static_cast<std::size_t>(status.st_size) > file_bytes_max) {
    return useless(fmt::format("{} is not {}", path, what));
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable(path);
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

}  // namespace

std::expected<std::optional<SavedRoom>, LoadError> StateDirectory::load(
    std::string_view room) const {
  const std::string path = file(room);
  const auto bytes = read_file(path, "a saved room");
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return std::optional<SavedRoom>{};
  auto saved = decode_saved_room(**bytes);
  if (!saved) return useless(fmt::format("{} {}", path, saved.error().message));
  if (saved->name != room) return useless(fmt::format("{} is of room {}", path, saved->name));
  return std::optional(std::move(*saved));
}

Result<std::optional<std::vector<std::byte>>> StateDirectory::read(std::string_view name) const {
  auto bytes = read_file(fmt::format("{}/{}", path_, name), "a file");
  if (!bytes) return fail(std::move(bytes.error().message));
  return std::move(*bytes);
}

Result<std::string> StateDirectory::set_aside(std::string_view room) const {
  const std::string path = file(room);
  // Nobody else writes here, so that what is not there now will not be there when it is renamed to.
  // When all are taken the last gives way: the first ones are what was lost first.
  std::string end = ".bad";
  struct stat status{};
  for (std::uint32_t number = 2;
       number <= set_aside_max && ::lstat((path + end).c_str(), &status) == 0; ++number) {
    end = fmt::format(".bad.{}", number);
  }
  if (::rename(path.c_str(), (path + end).c_str()) == 0) return end;
  return fail(fmt::format("{} cannot be renamed: {}", path, std::strerror(errno)));
}

}  // namespace ringcast::server
