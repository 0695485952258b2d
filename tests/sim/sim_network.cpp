#include "sim/sim_network.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace ringcast::sim {
namespace {

constexpr std::int32_t as_result(std::size_t bytes) {
  return static_cast<std::int32_t>(bytes);
}

}  // namespace

SimNetwork::SimNetwork(SimClock& clock, std::uint64_t seed, const SimFaults& faults)
    : clock_(clock), seed_(seed), prng_(seed), faults_(faults) {}

void SimNetwork::misuse(const std::string& what) const {
  const std::string message = "io contract misused (seed " + std::to_string(seed_) + "): " + what;
  // Printed as well: unwinding may meet an assertion before the test sees the exception.
  std::fprintf(stderr, "%s\n", message.c_str());
  throw ContractMisuse(message);
}

// Time.

void SimNetwork::at(Instant when, std::function<void()> action) {
  events_.emplace(std::pair(std::max(when, clock_.now()), events_planned_++), std::move(action));
}

std::optional<Instant> SimNetwork::next_event() const {
  if (events_.empty()) return std::nullopt;
  return events_.begin()->first.first;
}

void SimNetwork::run_due() {
  while (!events_.empty() && events_.begin()->first.first <= clock_.now()) {
    const auto event = events_.extract(events_.begin());
    event.mapped()();
  }
}

void SimNetwork::run_until(Instant until) {
  for (auto next = next_event(); next && *next <= until; next = next_event()) {
    clock_.advance_to(std::max(*next, clock_.now()));
    run_due();
  }
  clock_.advance_to(std::max(until, clock_.now()));
}

Nanoseconds SimNetwork::latency() {
  const auto spread =
      static_cast<std::uint64_t>((faults_.latency_max - faults_.latency_min).count());
  return faults_.latency_min + Nanoseconds(prng_.below(spread + 1));
}

std::size_t SimNetwork::part_of(std::size_t whole) {
  return whole <= 1 ? whole : 1 + static_cast<std::size_t>(prng_.below(whole - 1));
}

// Connections.

io::Socket SimNetwork::listen() {
  listeners_.emplace(next_descriptor_, Listener{});
  return io::Socket{next_descriptor_++};
}

SimPeer SimNetwork::connect(io::Socket listener) {
  return connect(listener, IpAddress::parse("127.0.0.1").value());
}

SimPeer SimNetwork::connect(io::Socket listener, const IpAddress& from) {
  const std::int32_t id = next_descriptor_++;
  Connection& made = connections_[id];
  made.from = from;
  const auto between = [this](std::size_t least, std::size_t most) {
    return least + static_cast<std::size_t>(prng_.below(most - least + 1));
  };
  made.send_capacity = between(faults_.send_capacity_bytes_min, faults_.send_capacity_bytes_max);
  made.client_capacity = between(faults_.peer_capacity_bytes_min, faults_.peer_capacity_bytes_max);
  at(clock_.now() + latency(), [this, id, listener] {
    Listener& at_listener = listeners_[listener.descriptor];
    if (!at_listener.open) {
      connections_[id].broken = true;
      return;
    }
    at_listener.backlog.push_back(id);
    changed(listener.descriptor);
  });
  return {*this, id};
}

SimNetwork::Connection& SimNetwork::connection(io::Socket socket) {
  const auto found = connections_.find(socket.descriptor);
  if (found == connections_.end() || !found->second.accepted || !found->second.server.open) {
    misuse("socket " + std::to_string(socket.descriptor) + " is not an open connection");
  }
  return found->second;
}

bool SimNetwork::is_open(io::Socket socket) const {
  if (const auto found = listeners_.find(socket.descriptor); found != listeners_.end()) {
    return found->second.open;
  }
  const auto found = connections_.find(socket.descriptor);
  return found != connections_.end() && found->second.accepted && found->second.server.open;
}

std::size_t SimNetwork::sockets_open() const {
  const auto listener_open = [](const auto& entry) { return entry.second.open; };
  const auto connection_open = [](const auto& entry) {
    return entry.second.accepted && entry.second.server.open;
  };
  return static_cast<std::size_t>(std::ranges::count_if(listeners_, listener_open) +
                                  std::ranges::count_if(connections_, connection_open));
}

void SimNetwork::changed(std::int32_t id) {
  for (SocketWatcher* watcher : watchers_) watcher->socket_changed(io::Socket{id});
}

// Bytes in flight. One event at a time carries a direction, so bytes never overtake each other.

void SimNetwork::plan_transfer(std::int32_t id, bool to_client) {
  Connection& on = connections_[id];
  End& from = to_client ? on.server : on.client;
  if (on.broken) return;
  if (faults_.long_path) {
    const std::size_t bytes = from.outgoing.size() - from.on_long_path;
    from.on_long_path += bytes;
    from.arrives_at = std::max(from.arrives_at, clock_.now() + latency());
    at(from.arrives_at, [this, id, to_client, bytes] {
      End& moving = to_client ? connections_[id].server : connections_[id].client;
      moving.on_long_path -= std::min(bytes, moving.on_long_path);
      transfer(id, to_client, bytes);
    });
    return;
  }
  if (from.transfer_planned) return;
  from.transfer_planned = true;
  at(clock_.now() + latency(), [this, id, to_client] { transfer(id, to_client, SIZE_MAX); });
}

void SimNetwork::transfer(std::int32_t id, bool to_client, std::size_t bytes_max) {
  Connection& on = connections_[id];
  End& from = to_client ? on.server : on.client;
  End& to = to_client ? on.client : on.server;
  from.transfer_planned = false;
  if (on.broken) return;
  const bool unwelcome = !to.open && !from.outgoing.empty();
  if (unwelcome || prng_.chance(faults_.connection_reset)) return break_connection(id);

  const std::size_t capacity = to_client ? on.client_capacity : SIZE_MAX;
  const std::size_t room = capacity - std::min(capacity, to.incoming.size());
  std::size_t count = std::min({from.outgoing.size(), room, bytes_max});
  if (prng_.chance(faults_.arrival_split)) count = part_of(count);
  from.outgoing.move_to(to.incoming, count);
  if (from.outgoing.empty()) {
    to.other_finished = from.finished;
  } else if (count < room && !faults_.long_path) {
    plan_transfer(id, to_client);
  }
  changed(id);
}

void SimNetwork::break_connection(std::int32_t id) {
  Connection& on = connections_[id];
  if (on.broken) return;
  on.broken = true;
  on.error_unread = true;
  for (End* end : {&on.server, &on.client}) {
    end->outgoing.clear();
    end->on_long_path = 0;
    end->other_finished = true;
  }
  on.server.incoming.clear();
  changed(id);
}

void SimNetwork::congest(std::int32_t id) {
  connections_[id].congested = true;
  at(clock_.now() + latency(), [this, id] {
    connections_[id].congested = false;
    changed(id);
  });
}

// What stands for system calls.

std::int32_t SimNetwork::accept(io::Socket listener) {
  Listener& at_listener = listeners_[listener.descriptor];
  if (at_listener.backlog.empty()) return -EAGAIN;
  if (prng_.chance(faults_.accept_error)) return -EMFILE;
  const std::int32_t id = at_listener.backlog.front();
  at_listener.backlog.pop_front();
  connections_[id].accepted = true;
  return id;
}

std::optional<IpAddress> SimNetwork::peer_address(io::Socket socket) {
  const Connection& on = connection(socket);
  return on.broken ? std::nullopt : std::optional(on.from);
}

std::int32_t SimNetwork::read(io::Socket socket, std::span<std::byte> target) {
  Connection& on = connection(socket);
  if (!on.server.incoming.empty()) {
    std::size_t count = std::min(target.size(), on.server.incoming.size());
    if (prng_.chance(faults_.read_split)) count = part_of(count);
    on.server.incoming.copy_to(target.first(count));
    return as_result(count);
  }
  if (std::exchange(on.error_unread, false)) return -ECONNRESET;
  return on.server.other_finished || on.reading_ended ? 0 : -EAGAIN;
}

std::int32_t SimNetwork::write(io::Socket socket, std::span<const std::byte> bytes) {
  Connection& on = connection(socket);
  if (std::exchange(on.error_unread, false)) return -ECONNRESET;
  if (on.broken || on.server.finished) return -EPIPE;
  const std::size_t taken = std::min(on.send_capacity, on.server.outgoing.size());
  const std::size_t possible = on.congested ? 0 : std::min(bytes.size(), on.send_capacity - taken);
  std::size_t count = possible;
  if (prng_.chance(faults_.send_short)) count = part_of(count);
  if (prng_.chance(faults_.send_blocked)) count = 0;
  if (count < possible) congest(socket.descriptor);
  if (count == 0 && !bytes.empty()) return -EAGAIN;
  on.server.outgoing.append(bytes.first(count));
  plan_transfer(socket.descriptor, true);
  return as_result(count);
}

std::int32_t SimNetwork::poll(io::Socket socket) const {
  if (const auto found = listeners_.find(socket.descriptor); found != listeners_.end()) {
    return found->second.backlog.empty() ? 0 : POLLIN;
  }
  const Connection& on = connections_.at(socket.descriptor);
  std::int32_t events = 0;
  const bool at_end = on.server.other_finished || on.reading_ended || on.error_unread;
  if (!on.server.incoming.empty() || at_end) events |= POLLIN;
  // Like the kernel, writable is not one byte of room but a third of it all.
  const bool roomy = on.server.outgoing.size() <= on.send_capacity - on.send_capacity / 3;
  if ((roomy && !on.congested) || on.broken || on.server.finished) events |= POLLOUT;
  if (on.error_unread) events |= POLLERR;
  if (on.broken || (on.server.finished && at_end)) events |= POLLHUP;
  return events;
}

void SimNetwork::shutdown(io::Socket socket, io::ShutdownHow how) {
  Connection& on = connection(socket);
  on.server.finished = true;
  if (how == io::ShutdownHow::both) on.reading_ended = true;
  plan_transfer(socket.descriptor, true);
  changed(socket.descriptor);
}

void SimNetwork::close(io::Socket socket) {
  if (const auto found = listeners_.find(socket.descriptor); found != listeners_.end()) {
    found->second.open = false;
    for (const std::int32_t id : std::exchange(found->second.backlog, {})) break_connection(id);
    return;
  }
  Connection& on = connection(socket);
  on.server.open = false;
  on.server.finished = true;
  // As TCP does: leaving with unread bytes is not leaving in good order.
  if (!on.server.incoming.empty()) return break_connection(socket.descriptor);
  plan_transfer(socket.descriptor, true);
}

// The client's half.

void SimPeer::send(std::span<const std::byte> bytes) {
  SimNetwork::Connection& on = network_->connections_[connection_];
  if (on.broken || on.client.finished) return;
  on.client.outgoing.append(bytes);
  network_->plan_transfer(connection_, false);
}

std::vector<std::byte> SimPeer::receive(std::size_t bytes_max) {
  SimNetwork::Connection& on = network_->connections_[connection_];
  std::vector<std::byte> bytes(std::min(bytes_max, on.client.incoming.size()));
  on.client.incoming.copy_to(bytes);
  if (!bytes.empty() && !on.server.outgoing.empty()) network_->plan_transfer(connection_, true);
  return bytes;
}

std::size_t SimPeer::received_bytes() const {
  return network_->connections_[connection_].client.incoming.size();
}

bool SimPeer::ended() const {
  const SimNetwork::Connection& on = network_->connections_[connection_];
  return on.client.other_finished && on.client.incoming.empty();
}

bool SimPeer::was_reset() const {
  return network_->connections_[connection_].broken;
}

void SimPeer::shutdown() {
  SimNetwork::Connection& on = network_->connections_[connection_];
  on.client.finished = true;
  network_->plan_transfer(connection_, false);
}

void SimPeer::close() {
  network_->connections_[connection_].client.open = false;
  shutdown();
}

void SimPeer::reset() {
  network_->break_connection(connection_);
}

}  // namespace ringcast::sim
