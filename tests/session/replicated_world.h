// A session of a replicated room, and its client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "catch.h"
#include "replication/reader.h"
#include "session/replica.h"
#include "session/session_world.h"
#include "wire/envelope.h"

namespace ringcast::server {

inline constexpr UnixNanoseconds period = 1'000'000'000 / 60;

inline replication::Schema disc_schema() {
  replication::Schema schema{.space = {.low = {0, 0}, .high = {1'000, 1'000}}};
  schema.classes.push_back({.name = "disc"});
  schema.digest_every_ticks = 1;
  schema.limits.members = 8;
  return schema;
}

struct ReplicatedWorld : SessionWorld {
  explicit ReplicatedWorld(const CoreOptions& its_options = small(),
                           std::uint32_t send_every_ticks = 1)
      : SessionWorld(its_options) {
    auto made = replication::ReplicatedRoom::make(disc_schema());
    REQUIRE(made);
    auto replica_made = std::make_unique<Replica>(std::move(*made), 60);
    replica = replica_made.get();
    replica->send_every(send_every_ticks);
    room.set_replica(std::move(replica_made));
    handle = join();
    const MemberId member = (*this)[handle].member;
    REQUIRE(replica->room().join(member));
    REQUIRE(replica->room().world().look(member, {500, 500}, {800, 800}) ==
            replication::Outcome::ok);
  }

  /// A tick, and its mark. `left_out`: ticks that should have been before it and were not.
  void step(UnixNanoseconds left_out = 0) {
    replication::ReplicatedRoom& replicated = replica->room();
    const std::uint64_t tick = replicated.tick() + 1;
    replicated.begin_step(tick);
    REQUIRE(replicated.world().put({.id = replication::ObjectId{7},
                                    .position = {static_cast<double>(100 + tick), 500}}) ==
            replication::Outcome::ok);
    replicated.end_step();
    due += (1 + left_out) * period;
    replica->ticked(context.now, due, metrics);
    if (session().is_open()) queue.put_latest(handle, session(), replica->mark(context));
  }
  /// What is sent now; empty when nothing is.
  std::string flush() {
    static_cast<void>(io.take());
    sender.flush();
    const auto asked = io.take();
    return asked.empty() ? std::string() : asked.front().bytes;
  }
  /// The socket has room again.
  void unblock() { static_cast<void>(sender.writable(handle, session())); }
  /// A whole message of the wire, as its client reads it: so many frames. Returns its last.
  wire::ReplicatedFrameView read(const std::string& bytes, std::size_t frames = 1) {
    constexpr std::size_t header = 2;  // of a frame of less than 126 bytes
    REQUIRE(bytes.size() > header);
    REQUIRE(bytes.size() < 128);
    const auto message = wire::decode_server(std::as_bytes(std::span(bytes)).subspan(header));
    REQUIRE(message);
    const auto* view = std::get_if<wire::ReplicatedView>(&*message);
    REQUIRE(view != nullptr);
    REQUIRE(view->count == frames);
    for (const wire::ReplicatedFrameView& frame : view->frames()) {
      REQUIRE(reader.read(frame.bytes) == replication::ReadResult::ok);
      const auto disc = reader.find(7);
      REQUIRE(disc);
      CHECK(reader.real(*disc, 0) == static_cast<double>(100 + reader.tick()));
    }
    return view->first[view->count - 1];
  }
  Session& session() { return (*this)[handle]; }

  Replica* replica = nullptr;
  Handle handle;
  UnixNanoseconds due = 1'000'000'000;
  replication::Reader reader{*replication::Layout::make(disc_schema())};
};

/// A client's, as it is on the wire.
inline std::string message(const wire::ClientMessage& what) {
  std::vector<std::byte> body(100);
  body.resize(wire::encode_client(what, body));
  std::vector<std::byte> frame(body.size() + 14);
  frame.resize(ws::encode_client_frame(ws::Opcode::binary, body, 0x12345678, frame));
  return {reinterpret_cast<const char*>(frame.data()), frame.size()};
}

}  // namespace ringcast::server
