// In the steady state a tick allocates nothing: counted by the replaced operator new over a
// thousand ticks of a real core on a real ring with two hundred members, who read, acknowledge and
// steer; in a room that shows everything to everyone, and in one that replicates. The members' side
// runs between the turns, on the same thread, in memory of its own.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "arena/arena.h"
#include "catch.h"
#include "core/core.h"
#include "loopback.h"
#include "uring/listener.h"
#include "uring/ring.h"
#include "wire/envelope.h"
#include "ws/frame_encoder.h"

namespace ringcast::server {
namespace {

constexpr std::size_t member_count = 200;
constexpr std::string_view request =
    "GET /rooms/arena HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

/// Everything the members do, without a single allocation: read what has come, and now and then
/// send one message that was encoded beforehand.
class Members {
 public:
  explicit Members(std::string_view address) {
    for (int& member : sockets_) {
      member = connect_to(address);
      REQUIRE(::send(member, request.data(), request.size(), 0) ==
              static_cast<ssize_t>(request.size()));
    }
  }
  ~Members() {
    for (const int member : sockets_) ::close(member);
  }
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;

  void read_all() {
    for (const int member : sockets_) {
      ssize_t count = 0;
      while ((count = ::recv(member, scratch_.data(), scratch_.size(), MSG_DONTWAIT)) > 0) {
        bytes_ += static_cast<std::uint64_t>(count);
      }
    }
  }
  /// An acknowledgement far ahead counts as one of the newest sent; the input steers.
  void talk(std::size_t turn) {
    const std::array<std::byte, 5> steer{std::byte{0x0d}, std::byte{}, std::byte{},
                                         turn % 2 == 0 ? std::byte{0x80} : std::byte{},
                                         std::byte{0x3f}};
    std::array<std::byte, 128> message;
    const std::size_t message_size =
        wire::encode_client({.newest_tick_seen = 1'000'000, .body = wire::Input{steer}}, message);
    std::array<std::byte, 160> frame;
    // One in eight of them each time: about 8 messages a second and member.
    for (std::size_t index = turn % 8; index < sockets_.size(); index += 8) {
      const std::size_t frame_size = ws::encode_client_frame(
          ws::Opcode::binary, std::span(message).first(message_size), 0, frame);
      REQUIRE(::send(sockets_[index], frame.data(), frame_size, 0) > 0);
    }
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  std::array<int, member_count> sockets_{};
  std::vector<char> scratch_ = std::vector<char>(1 << 16);
  std::uint64_t bytes_ = 0;
};

/// What was sent in the thousand ticks.
struct Sent {
  std::uint64_t latest = 0;
  std::uint64_t reliable = 0;
  std::uint64_t replicated = 0;
};

Sent thousand_ticks(const std::map<std::string, std::string, std::less<>>& parameters,
                    std::uint32_t send_every_ticks = 1) {
  const SystemClock clock;
  auto ring = uring::Ring::create({.clock = clock});
  REQUIRE(ring);
  auto listener = uring::listen("127.0.0.1:0", {});
  REQUIRE(listener);
  const std::string address = *uring::local_address(*listener);

  const CoreOptions options;
  observe::CoreMetrics metrics;
  observe::RoomMetrics room_metrics;
  ControlToCoreQueue from_control(control_queue_capacity);
  CoreToControlQueue to_control(control_queue_capacity);
  Core core({.index = 0,
             .io = **ring,
             .clock = clock,
             .options = options,
             .metrics = metrics,
             .listener = *listener,
             .page = {},
             .from_control = from_control,
             .to_control = to_control,
             .control_doorbell = nullptr});
  RoomOptions room;
  room.name = "arena";
  room.rate_hz = 240;
  room.send_every_ticks = send_every_ticks;
  auto simulation =
      arena::make_arena({.seed = 1, .rate_hz = room.rate_hz, .parameters = parameters});
  REQUIRE(simulation);
  REQUIRE(core.add_room(room::RoomId{1}, room, std::move(*simulation), room_metrics));
  core.start();

  Members members(address);
  std::uint64_t seen = 0;
  std::size_t talks = 0;
  std::uint64_t allocations = 0;
  // What only this thread's turns of the core ask for: the members' own calls are not counted.
  const auto turn = [&] {
    const std::uint64_t before = observe::allocations_of_this_thread();
    core.turn();
    allocations += observe::allocations_of_this_thread() - before;
    if (room_metrics.tick.value() == seen) return;
    seen = room_metrics.tick.value();
    members.read_all();
    members.talk(++talks);
  };
  const auto run_ticks = [&](std::uint64_t count) {
    const std::uint64_t end = seen + count;
    while (seen < end) turn();
  };
  while (room_metrics.members.value() < member_count) turn();
  // Until the arena has had its first splits and every buffer its greatest size.
  run_ticks(2'400);

  CHECK(allocations > 0);  // joining does: the counter counts

  const auto count = [&](observe::Count which) { return metrics[which].value(); };
  const Sent before{count(observe::Count::frames_sent_latest),
                    count(observe::Count::frames_sent_reliable),
                    count(observe::Count::replicated_frames)};
  allocations = 0;
  run_ticks(1'000);
  CHECK(allocations == 0);
  const Sent sent{count(observe::Count::frames_sent_latest) - before.latest,
                  count(observe::Count::frames_sent_reliable) - before.reliable,
                  count(observe::Count::replicated_frames) - before.replicated};
  // It was no idle thousand: snapshots for nearly all, inputs from all.
  CHECK(sent.latest > 500 * member_count / send_every_ticks);
  CHECK(count(observe::Count::messages_received) > 1'000);

  REQUIRE(from_control.push(Shutdown{}));
  (*ring)->doorbell().ring();
  while (!core.done()) {
    core.turn();
    members.read_all();
    if (core.sessions().size() != 0 &&
        metrics[observe::Count::frames_sent_control].value() >= member_count) {
      REQUIRE(from_control.push(ShutdownNow{}));
      (*ring)->doorbell().ring();
    }
  }
  REQUIRE(core.context().frames.blocks_outstanding() == 0);
  ::close(listener->descriptor);
  return sent;
}

TEST_CASE("a thousand ticks with two hundred members allocate nothing") {
  const Sent sent = thousand_ticks({{"replicated", "0"}});
  CHECK(sent.reliable > 10 * member_count);  // events for all
  CHECK(sent.replicated == 0);
}

TEST_CASE("nor does a thousand ticks of a room that replicates") {
  const Sent sent =
      thousand_ticks({{"replicated", "1"}, {"bots", "400"}, {"width", "4800"}, {"height", "2700"}});
  CHECK(sent.replicated > 500 * member_count);
}

TEST_CASE("nor where its ticks go together") {
  const Sent sent = thousand_ticks(
      {{"replicated", "1"}, {"bots", "400"}, {"width", "4800"}, {"height", "2700"}}, 3);
  CHECK(sent.replicated > 500 * member_count);
  CHECK(sent.latest < sent.replicated * 2 / 3);
}

}  // namespace
}  // namespace ringcast::server
