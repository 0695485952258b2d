#include "sim/world.h"

#include <algorithm>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>

#include "proxy/proxy_header_bytes.h"

namespace ringcast::sim {

using server::CorePeer;

struct World::Node {
  Node(SimNetwork& network, const SimIoOptions& io_options)
      : listener(network.listen()), io(network, io_options) {}

  io::Socket listener;
  SimIo io;
  observe::CoreMetrics metrics;
  server::ControlToCoreQueue from_control{server::control_queue_capacity};
  server::CoreToControlQueue to_control{server::control_queue_capacity};
  std::vector<CorePeer> peers;
  server::NoticeQueue notices{server::notices_max};
  std::unique_ptr<server::Core> core;
  Instant lags_until{};
};

World::World(std::uint64_t seed, const SimFaults& faults, const server::CoreOptions& options,
             const SimIoOptions& io_options, const WorldShape& shape)
    : seed_(seed),
      prng_(seed ^ 0x5eed),
      origins_(seed ^ 0xadd4),
      options_(options),
      shape_(shape),
      network_(clock_, seed, faults) {
  SimIoOptions its_io = io_options;
  its_io.moves_clock = shape.cores == 1;
  for (std::uint32_t index = 0; index < shape.cores; ++index) {
    nodes_.push_back(std::make_unique<Node>(network_, its_io));
  }
  for (std::uint32_t pair = 0; pair < shape.cores * shape.cores; ++pair) {
    queues_.push_back(std::make_unique<server::PeerQueue>(shape.mails_max));
  }
  for (std::uint32_t index = 0; index < shape.cores; ++index) {
    Node& node = *nodes_[index];
    for (std::uint32_t other = 0; other < shape.cores; ++other) {
      CorePeer& peer = node.peers.emplace_back();
      if (other == index) continue;
      peer = {.to = queues_[index * shape.cores + other].get(),
              .from = queues_[other * shape.cores + index].get(),
              .ring = nodes_[other]->io.ring(),
              .metrics = &nodes_[other]->metrics};
    }
    node.core = std::make_unique<server::Core>(server::CoreWiring{
        .index = index,
        .io = node.io,
        .clock = clock_,
        .options = options_,
        .metrics = node.metrics,
        .listener = node.listener,
        .page = {},
        .from_control = node.from_control,
        .to_control = node.to_control,
        .control_doorbell = nullptr,
        .peers = shape.cores == 1 ? std::span<const CorePeer>{} : std::span(node.peers),
        .notices = &node.notices,
        .address_limits = &address_limits_,
        .ledger = &ledger_});
  }
  make_room();
  for (const auto& node : nodes_) node->core->start();
}

World::~World() = default;

server::RoomOptions World::room_options() const {
  server::RoomOptions room;
  room.name = "sim";
  room.members_max = shape_.members_max;
  room.inbox_inputs_max = shape_.inbox_inputs_max;
  room.inbox_bytes_max = 4'096;
  room.spread = shape_.spread;
  room.send_every_ticks = shape_.send_every_ticks;
  room.event_history = shape_.event_history;
  return room;
}

std::unique_ptr<ScriptedSimulation> World::make_simulation(const Script& script) {
  return std::make_unique<ScriptedSimulation>(seed_ + room_ - 1, tally_, script);
}

/// Of a stream of its own, so that what else a seed chooses stays as it was.
Script World::some_script() const {
  Prng choice((seed_ << 8) + room_);
  Script script = shape_.script;
  constexpr std::uint64_t ticks_max = 150;
  if (shape_.ends && choice.chance(0.2)) {
    script.ends_in_tick = choice.chance(0.2) ? 0 : choice.below(ticks_max);
  }
  return script;
}

void World::make_room() {
  const server::RoomOptions room = room_options();
  const room::RoomId id{room_};
  const Script script = shape_.script.ends_in_tick ? shape_.script : some_script();
  bool made = core().add_room(id, room, make_simulation(script), room_metrics_);
  for (std::uint32_t other = 1; other < shape_.cores; ++other) {
    made =
        made && core(other).add_elsewhere(
                    {.name = room.name, .address = {.room = id, .core = 0, .spread = room.spread}});
  }
  if (!made) throw std::runtime_error("the room was not made");
}

void World::mail(Node& node, server::ControlToCore what) {
  if (!node.from_control.push(std::move(what))) throw std::runtime_error("the mailbox is full");
  node.io.doorbell().ring();
}

void World::close_room() {
  if (std::exchange(closed_, true)) return;
  for (const auto& node : nodes_) {
    if (node == nodes_.front() || !shape_.spread) {
      mail(*node, server::CloseRoom{room::RoomId{room_}});
    }
  }
}

void World::set_send_cost(Nanoseconds cost, std::uint32_t core) {
  nodes_[core]->io.set_send_cost(cost);
}

void World::reconfigure(const server::CoreOptions& options) {
  for (const auto& node : nodes_) {
    mail(*node,
         server::Reconfigure{.options = std::make_unique<const server::CoreOptions>(options)});
  }
  options_.proxy_from = options.proxy_from;
  // What waits already may be more than a lower limit.
  std::uint32_t& frames_max = options_.session.outbox.reliable_frames_max;
  frames_max = std::max(frames_max, options.session.outbox.reliable_frames_max);
}

void World::revoke(auth::Revocation revocation) {
  static_cast<void>(ledger_.revoke(revocation, clock_.unix_now() / 1'000'000'000));
  for (const auto& node : nodes_) {
    mail(*node, server::Revoke{.number = 0,
                               .revocation = std::make_unique<const auth::Revocation>(revocation)});
  }
}

void World::open_room(const Script& script) {
  const server::RoomOptions room = room_options();
  const room::RoomAddress address{room::RoomId{++room_}, 0, room.spread};
  const auto ran_for_long = std::chrono::seconds(2);
  run(ran_for_long);  // what was closed before has gone everywhere
  closed_ = ends_ = false;
  opening_ = true;
  auto home = std::make_unique<server::HomeRoom>(
      address.room, room.name, make_simulation(script), room.rate_hz, 0, room.spread,
      room::RoomLimits{.cores = shape_.cores,
                       .members_max = room.members_max,
                       .inbox_inputs_max = room.inbox_inputs_max,
                       .inbox_bytes_max = room.inbox_bytes_max,
                       .groups_max = room.groups_max,
                       .group_members_max = room.group_members_max},
      room.event_history, clock_.now(), room_metrics_);
  home->send_every(room.send_every_ticks);
  mail(*nodes_.front(), server::OpenRoom{std::move(home), address});
  run(ran_for_long);
  for (const auto& node : nodes_) {
    if (node != nodes_.front()) mail(*node, server::LearnOfRoom{{room.name, address}});
  }
  run(ran_for_long);
  opening_ = false;
  if (ends_) close_room();
}

server::Core& World::core(std::uint32_t index) {
  return *nodes_[index]->core;
}

observe::CoreMetrics& World::metrics(std::uint32_t index) {
  return nodes_[index]->metrics;
}

server::NoticeQueue& World::notices(std::uint32_t index) {
  return nodes_[index]->notices;
}

std::uint64_t World::count(observe::Count count) {
  std::uint64_t sum = 0;
  for (const auto& node : nodes_) sum += node->metrics[count].value();
  return sum;
}

/// One of a few machines: by itself, or through the proxy, which now and then speaks for itself or
/// leaves its header out.
Origin World::some_origin() {
  using proxy::bytes_of;
  constexpr std::uint64_t machines = 6;
  const auto machine = static_cast<unsigned>(1 + origins_.below(machines));
  if (origins_.chance(0.4)) {
    return {.from = IpAddress::parse("192.0.2." + std::to_string(machine)).value(), .ahead = {}};
  }
  Origin origin{.from = IpAddress::parse("10.0.0.1").value(), .ahead = {}};
  if (origins_.chance(0.05) || options_.proxy_from.empty()) return origin;
  origin.ahead = origins_.chance(0.1)
                     ? proxy::header(proxy::local, proxy::unspecified, proxy::tlvs)
                     : proxy::header(proxy::proxied, proxy::tcp_over_ipv4,
                                     bytes_of({192, 0, 2, machine, 10, 0, 0, 1, 0, 1, 0, 2}));
  return origin;
}

SimClient& World::add_client(Temper temper, Nanoseconds when, const std::optional<Origin>& origin,
                             std::string token) {
  const io::Socket listener = nodes_[shape_.cores == 1 ? 0 : prng_.below(shape_.cores)]->listener;
  clients_.push_back(std::make_unique<SimClient>(network_, listener, temper, prng_.next(),
                                                 origin ? *origin : some_origin(),
                                                 std::move(token)));
  std::vector<io::Socket> listeners;
  for (const auto& node : nodes_) listeners.push_back(node->listener);
  clients_.back()->may_return_to(std::move(listeners));
  schedule(*clients_.back(), when);
  return *clients_.back();
}

void World::schedule(SimClient& client, Nanoseconds after) {
  network_.at(clock_.now() + after, [this, &client] {
    if (const auto again = client.act()) schedule(client, *again);
  });
}

void World::run(Nanoseconds duration) {
  const Instant end = clock_.now() + duration;
  while (clock_.now() < end) step(end);
}

void World::run_without(std::uint32_t core, Nanoseconds duration) {
  nodes_[core]->lags_until = clock_.now() + duration;
  run(duration);
}

void World::step(Instant end) {
  if (nodes_.size() == 1) {
    turn(*nodes_[0]);
    return;
  }
  std::vector<Node*> ready;
  Instant next = std::min(network_.next_event().value_or(never), end);
  for (const auto& node : nodes_) {
    if (node->core->done()) continue;
    const Instant wakes = std::max(node->io.wakes_at(), node->lags_until);
    if (wakes <= clock_.now()) {
      ready.push_back(node.get());
    } else {
      next = std::min(next, wakes);
    }
  }
  if (ready.empty()) {
    clock_.advance_to(std::max(next, clock_.now()));
    network_.run_due();
    return;
  }
  Node& node = *ready[static_cast<std::size_t>(prng_.below(ready.size()))];
  turn(node);
  if (prng_.chance(shape_.lagging)) {
    node.lags_until =
        clock_.now() +
        Nanoseconds(prng_.below(static_cast<std::uint64_t>(shape_.lag_max.count()) + 1));
  }
}

void World::turn(Node& node) {
  node.core->turn();
  check_saved(node);
  check_budgets(*node.core);
}

void World::check_budgets(server::Core& core) const {
  const room::OutboxLimits& limits = options_.session.outbox;
  core.sessions().for_each([&](Handle, server::Session& session) {
    const room::Outbox::Backlog backlog = session.outbox.backlog();
    // Behind the reliable lane: a snapshot of each stream, a mark, a pong, a goodbye, a begun
    // frame. A chain that comes back finds the lane filled anew.
    const bool chained = options_.send.several_frames == server::SendOptions::SeveralFrames::chain;
    const std::size_t came_back = chained ? room::batch_pieces_max : 0;
    if (backlog.frames > limits.reliable_frames_max + came_back + streams + 4) {
      throw std::runtime_error("an outbox holds " + std::to_string(backlog.frames) + " frames");
    }
  });
}

void World::shut_down(Nanoseconds limit) {
  shutting_down_ = true;
  for (const auto& client : clients_) client->come_to_rest();
  const Instant end = clock_.now() + limit;
  // The room's home is the last to hear of it: the others may have acted on it already.
  for (const auto& node : nodes_ | std::views::reverse) {
    mail(*node, server::Shutdown{.keep_rooms = shape_.keep_rooms});
    if (nodes_.size() == 1) break;
    constexpr std::uint64_t turns_between_max = 20;
    for (auto turns = prng_.below(turns_between_max); turns > 0; --turns) step(end);
  }
  const auto is_done = [](const auto& node) { return node->core->done(); };
  while (!std::ranges::all_of(nodes_, is_done)) {
    if (clock_.now() > end) throw std::runtime_error("the cores do not come to an end");
    step(end + Nanoseconds(1));
  }
}

void World::check_saved(Node& node) {
  while (const auto mail = node.to_control.pop()) {
    if (const auto* const checkpoint = std::get_if<server::RoomSaved>(&*mail)) {
      ++checkpoints_;
      check_members(*checkpoint->room);
    } else if (const auto* const ends = std::get_if<server::RoomEnds>(&*mail)) {
      if (ends->room != room::RoomId{room_}) continue;
      ends_ = true;
      if (!opening_ && !shutting_down_) close_room();
    } else if (const auto* const drained = std::get_if<server::Drained>(&*mail)) {
      for (const server::SavedRoom& saved : drained->rooms) {
        kept_ += saved.room.members.size();
        check_members(saved);
      }
    }
  }
}

void World::check_members(const server::SavedRoom& saved) {
  std::vector<MemberId> members;
  for (const room::Ticket& ticket : saved.room.members) members.push_back(ticket.member);
  std::ranges::sort(members);
  if (!std::ranges::equal(std::as_bytes(std::span(members)), saved.room.state)) {
    throw std::runtime_error("other members are kept than the simulation has");
  }
  if (!members.empty() && std::to_underlying(members.back()) >= saved.room.member_ids_end) {
    throw std::runtime_error("an id of a kept member may be given out again");
  }
}

void World::check_all_home() {
  const auto home = [](bool is_home, const std::string& what) {
    if (!is_home) throw std::runtime_error(what);
  };
  for (const auto& node : nodes_) {
    server::Core& core = *node->core;
    home(core.sessions().size() == 0, "a session is left");
    home(core.context().frames.blocks_outstanding() == 0, "a frame is left");
    home(core.context().nodes.in_use() == 0, "a reliable node is left");
  }
  home(address_limits_.size() == 0, "an address is still counted");
  // The doorbell's watch is the only operation that outlives the sessions.
  home(network_.sockets_open() <= 1, "a socket is left open");
}

}  // namespace ringcast::sim
