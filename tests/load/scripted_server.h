// A WebSocket server of one thread and few lines, with faults on request: what the load client says
// of a server is compared with what this one is known to have done.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "load/server_bytes.h"

namespace ringcast::load {

struct Script {
  std::string status_line = "HTTP/1.1 101 Switching Protocols";
  /// The n-th to connect, from 0; -1: nobody.
  int gets_every_second_tick = -1;
  int misses_an_event = -1;
  int is_closed_with_1013 = -1;
  int is_hung_up_on = -1;
  /// Everybody is told to come back with a token of their own, and closed with 1012, once.
  bool restarts = false;
  /// Who comes back then is answered with what is not a 101.
  bool refuses_who_comes_back = false;
};

class ScriptedServer {
 public:
  /// Listens on a free port of 127.0.0.1 and serves until destroyed.
  explicit ScriptedServer(Script script);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] std::string url() const;
  /// Client messages that were inputs, and the newest tick acknowledged by anyone.
  [[nodiscard]] std::uint64_t inputs() const { return inputs_; }
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }

 private:
  struct Session;
  void serve();
  void accept();
  void receive(Session& session);
  void tick();
  void restart();
  void send(Session& session, const Bytes& bytes);

  Script script_;
  int listener_;
  std::uint16_t port_ = 0;
  std::uint64_t tick_ = 0;
  bool restarted_ = false;
  int accepted_ = 0;
  std::vector<std::unique_ptr<Session>> sessions_;
  ServerBytes bytes_;
  std::atomic<std::uint64_t> inputs_ = 0;
  std::atomic<std::uint64_t> acknowledged_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace ringcast::load
