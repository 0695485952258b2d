// What a server is configured with: defaults, then a TOML file, then flags, checked as a whole
// before anything is opened. Every mistake is one sentence; one in the file begins with its
// FILE:LINE. docs/configuration.md describes the keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/key_files.h"
#include "base/result.h"
#include "config/cores.h"
#include "observe/log.h"
#include "ringcast/simulation.h"
#include "session/options.h"

namespace ringcast::config {

/// What a core's ring is made with.
struct MemoryOptions {
  std::size_t frame_memory_bytes = std::size_t{64} << 20;
  /// How much of the frame memory, at most all of it, is registered with the kernel for zero-copy
  /// sends. Counts against the memory-lock limit.
  std::size_t registered_bytes = std::size_t{4} << 20;
  std::uint32_t receive_buffers = 1'024;  ///< a power of two
  std::uint32_t receive_buffer_bytes = 4'096;

  friend bool operator==(const MemoryOptions&, const MemoryOptions&) = default;
};

/// core.direct_sockets
enum class DirectSockets : std::uint8_t {
  when_needed,  ///< when there may be more connections than the process may have descriptors
  on,
  off
};

/// Set on the listener; accepted sockets inherit it.
struct TcpOptions {
  bool nodelay = true;
  std::uint32_t notsent_lowat_bytes = 16'384;  ///< TCP_NOTSENT_LOWAT, tcp(7); 0: the kernel's
  std::uint32_t backlog = 4'096;               ///< listen(2); the kernel cuts it to somaxconn

  friend bool operator==(const TcpOptions&, const TcpOptions&) = default;
};

/// Where a setting was written, as a message about it begins: "ringcast.toml:3: " or "--listen: ";
/// empty for a default. No part of what is configured: any two are equal.
struct Place {
  std::string text;

  friend bool operator==(const Place&, const Place&) { return true; }
};

/// What a file has, as a reload compares it with what it has next: a file that lost some of it may
/// be cut short, unless it says where it ends. No part of what is configured: any two are equal.
struct Written {
  std::vector<std::string> parts;  ///< dotted keys and rooms; sorted
  bool ends = false;               ///< its last line is [end]
  bool last_line_ends = true;      ///< with a newline

  friend bool operator==(const Written&, const Written&) { return true; }
};

struct Config {
  std::string listen = "127.0.0.1:9000";  ///< as uring::listen takes it, likewise the next
  std::optional<std::string> admin = "127.0.0.1:9001";  ///< nothing: off
  /// The file with the token that the admin endpoint asks for; nothing: see read_admin_token().
  std::optional<std::string> admin_token_file;
  /// Names by which the admin endpoint may be asked, beside its address and localhost.
  std::vector<std::string> admin_hosts;
  Place listen_place;
  Place admin_place;
  Place cores_place;
  CoresOption cores;
  CorePlan core_plan;  ///< what `cores` comes to on this machine
  /// Where rooms are saved at a shutdown, and restored from; nothing: they begin anew.
  std::optional<std::string> state_directory;
  /// Whose keys are core.auth.keys, once app has read them.
  auth::KeyFiles auth_files;
  bool page = true;  ///< serve the demo page at `/`
  std::vector<server::RoomOptions> rooms;
  std::uint32_t rooms_max = 1'024;  ///< with those opened while it runs
  /// What the inboxes of all of them may take together, see server::inbox_memory_bytes().
  std::size_t rooms_inbox_bytes_max = std::size_t{2} << 30;
  Written written;
  server::CoreOptions core;
  MemoryOptions memory;
  DirectSockets direct_sockets = DirectSockets::when_needed;
  TcpOptions tcp;
  observe::LogOptions log;

  friend bool operator==(const Config&, const Config&) = default;
};

/// What the command line says about the configuration.
struct ConfigFlags {
  std::optional<std::string> file;    ///< path of the TOML file
  std::optional<std::string> listen;  ///< replaces `listen` of the file, likewise the next
  std::optional<std::string> admin;
  std::optional<std::string> cores;
  std::optional<std::string> state_directory;
  std::vector<std::string> rooms;  ///< NAME=SIMULATION[,key=value...]; replace all of the file's
};

/// Reads the file, when there is one, and checks everything. `simulations` makes each room's
/// simulation once, to have its parameters checked.
[[nodiscard]] Result<Config> load_config(const ConfigFlags& flags,
                                         const SimulationRegistry& simulations);

/// The same, of a file's text: `flags.file` is only what messages call it.
[[nodiscard]] Result<Config> parse_config(std::string_view toml, const ConfigFlags& flags,
                                          const SimulationRegistry& simulations);

/// Whether `read`, of the same file later, has all that the file had when it was read as `before`,
/// or says itself that it is whole; the error says what is missing. A file may be read while it is
/// written, or left half written by a full disk, and its first half may be a configuration, too.
[[nodiscard]] Result<void> check_whole(const Config& before, const Config& read,
                                       std::string_view file);

/// Every key that the file may have, dotted, in the order in which they are read.
[[nodiscard]] std::vector<std::string> config_keys();

}  // namespace ringcast::config
