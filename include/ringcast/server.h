// A server inside a program of one's own. It has threads of its own: one for control, one for each
// core. Link with the flags of `pkg-config --static --libs ringcast`, whose archive also brings
// mimalloc's operator new and delete for the whole program; with those of `ringcast-no-allocator`
// the program keeps its own.
//
// A program needs one Server at a time. From the first start() on SIGPIPE and SIGXFSZ are ignored;
// no other signal is touched, and what ends the program is to call stop() before.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "ringcast/command.h"
#include "ringcast/simulation.h"

namespace ringcast {

struct ServerOptions {
  /// What a configuration file would say, in TOML: docs/configuration.md has the keys. Empty: one
  /// room `arena` on 127.0.0.1:9000, and the admin address 127.0.0.1:9001.
  std::string configuration = {};
  /// What its rooms may run.
  SimulationRegistry simulations = bundled_simulations();
};

class Server {
 public:
  /// Serves once this returns; or says in a sentence why it can't: a mistake of the configuration
  /// begins with its line, and nothing has been started then. `options` is not needed afterwards,
  /// but what the simulations' factories refer to is, until the Server is gone. The log goes to
  /// standard error.
  [[nodiscard]] static std::expected<std::unique_ptr<Server>, std::string> start(
      const ServerOptions& options);
  /// As stop().
  virtual ~Server() = default;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // From any thread but those of the server, which simulations are called on. Each blocks until it
  // is done.

  /// Where clients connect to: "127.0.0.1:9000", with the port that the kernel chose for 0.
  [[nodiscard]] virtual std::string address() const = 0;
  /// Opens a room from the JSON of `POST /rooms` (docs/observability.md), such as
  /// {"name": "red", "simulation": "button", "parameters": {"goal": "50"}}. The error is a
  /// sentence.
  [[nodiscard]] virtual std::expected<void, std::string> open_room(std::string_view json) = 0;
  /// Closes a room: its sessions end behind what was sent to them.
  [[nodiscard]] virtual std::expected<void, std::string> close_room(std::string_view name) = 0;
  /// Tells clients to go, drains for as long as the configuration says, saves what can be saved,
  /// and ends the threads. False when not all rooms could be saved; the log says why. Again: the
  /// same answer. A simulation that does not come back from a call can't be stopped: then, as the
  /// log says, the whole program ends.
  virtual bool stop() = 0;

 protected:
  Server() = default;
};

}  // namespace ringcast
