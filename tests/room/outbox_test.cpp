#include "room/outbox.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/prng.h"
#include "catch.h"
#include "frame_maker.h"

namespace ringcast::room {
namespace {

using Batch = std::array<Piece, batch_pieces_max>;

std::vector<Lane> lanes(std::span<const Piece> pieces) {
  std::vector<Lane> result;
  for (const Piece& piece : pieces) result.push_back(piece.lane);
  return result;
}

struct Fixture {
  FrameMaker frames;
  ReliableNodes nodes{64, 1};
  OutboxLimits limits{.reliable_frames_max = 20, .reliable_bytes_max = 2'000};
  Outbox outbox;
  Batch batch;

  Fixture() = default;
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;
  ~Fixture() { outbox.clear(nodes); }
};

TEST_CASE("a pong leaves first, then events, the snapshot and the goodbye") {
  Fixture f;
  f.outbox.put_goodbye(f.frames.make(4, 4));
  f.outbox.put_latest(f.frames.make(3, 3), LatestPolicy::replace_waiting);
  f.outbox.put_reliable(f.frames.make(2, 2), f.nodes, f.limits);
  f.outbox.put_pong(f.frames.make(1, 1));
  const std::size_t count = f.outbox.take(f.batch, f.nodes, true);
  REQUIRE(lanes(std::span(f.batch).first(count)) ==
          std::vector{Lane::pong, Lane::reliable, Lane::latest, Lane::goodbye});
  REQUIRE_FALSE(f.outbox.has_work(true));
}

TEST_CASE("a newer snapshot replaces the waiting one, or is dropped by the other policy") {
  Fixture f;
  f.outbox.put_latest(f.frames.make(1, 1), LatestPolicy::replace_waiting);
  REQUIRE(f.outbox.put_latest(f.frames.make(1, 2), LatestPolicy::replace_waiting) ==
          Outbox::Put::replaced);
  REQUIRE(f.outbox.put_latest(f.frames.make(1, 3), LatestPolicy::keep_waiting) ==
          Outbox::Put::dropped);
  REQUIRE(f.outbox.take(f.batch, f.nodes, true) == 1);
  REQUIRE(f.batch[0].frame.bytes()[0] == std::byte{2});
  f.batch[0].frame.reset();
  REQUIRE(f.frames.slab().blocks_outstanding() == 0);
}

std::vector<std::uint8_t> marks(std::span<const Piece> pieces) {
  std::vector<std::uint8_t> result;
  for (const Piece& piece : pieces) {
    result.push_back(std::to_integer<std::uint8_t>(piece.frame.bytes()[0]));
  }
  return result;
}
using Marks = std::vector<std::uint8_t>;

TEST_CASE("between the fragments of a message nothing leaves but a pong") {
  Fixture f;
  f.outbox.put_reliable(f.frames.make_message(20, 10, 1), f.nodes, f.limits);
  f.outbox.put_latest(f.frames.make(1, 100), LatestPolicy::replace_waiting);
  f.outbox.put_goodbye(f.frames.make(1, 101));
  CHECK(f.nodes.in_use() == 1);
  REQUIRE(f.outbox.take(f.batch, f.nodes, true) == batch_pieces_max);
  CHECK(marks(f.batch) == Marks{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  CHECK(f.outbox.backlog().bytes == 4 * 10 + 2);
  // Two have left, and half of the third.
  REQUIRE(f.outbox.settle(f.batch, 25, f.nodes));
  CHECK(f.outbox.backlog().bytes == 17 * 10 + 5 + 2);
  CHECK(f.outbox.remainder().size() == 5);
  CHECK(f.outbox.remainder()[0] == std::byte{3});
  CHECK(f.nodes.in_use() == 1);
  f.outbox.finish_begun();
  f.outbox.put_pong(f.frames.make(1, 99));
  REQUIRE(f.outbox.take(f.batch, f.nodes, true) == batch_pieces_max);
  CHECK(marks(f.batch) == Marks{99, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18});
  REQUIRE(f.outbox.settle(f.batch, 1 + 15 * 10, f.nodes));
  const std::size_t last = f.outbox.take(f.batch, f.nodes, true);
  CHECK(marks(std::span(f.batch).first(last)) == Marks{19, 20, 100, 101});
  REQUIRE(f.outbox.settle(std::span(f.batch).first(last), 22, f.nodes));
  CHECK(f.outbox.backlog().bytes == 0);
  CHECK(f.frames.slab().blocks_outstanding() == 0);
}

TEST_CASE("a message of several fragments may wait beside as many events as ever") {
  Fixture f;
  f.limits.fragmented_bytes_max = 5'000;
  const auto message = [&](std::size_t fragments) {
    return f.outbox.put_reliable(f.frames.make_message(fragments, 1'000, 1), f.nodes, f.limits);
  };
  REQUIRE(f.outbox.put_reliable(f.frames.make(1'000, 9), f.nodes, f.limits) == Outbox::Put::queued);
  CHECK(message(6) == Outbox::Put::queued);    // the first, however large
  CHECK(message(2) == Outbox::Put::overflow);  // two are together within the bound, or not at all
  CHECK(f.outbox.put_reliable(f.frames.make(1'000, 9), f.nodes, f.limits) == Outbox::Put::queued);
  CHECK(f.outbox.put_reliable(f.frames.make(1, 9), f.nodes, f.limits) == Outbox::Put::overflow);
  f.outbox.drop_waiting(f.nodes);
  CHECK(message(3) == Outbox::Put::queued);
  CHECK(message(2) == Outbox::Put::queued);
}

TEST_CASE("whatever leaves of a message, all of it leaves once and in order") {
  Prng prng(11);
  for (int round = 0; round < 500; ++round) {
    Fixture f;
    f.limits = {.reliable_frames_max = 100, .reliable_bytes_max = 100'000};
    Marks expected;
    for (std::uint8_t mark = 1; mark < 200;) {
      const auto fragments = static_cast<std::uint8_t>(1 + prng.below(20));
      const FrameRef frame =
          fragments == 1 ? f.frames.make(7, mark) : f.frames.make_message(fragments, 7, mark);
      REQUIRE(f.outbox.put_reliable(frame, f.nodes, f.limits) == Outbox::Put::queued);
      for (std::uint8_t part = 0; part < fragments; ++part) expected.push_back(mark++);
    }
    Marks left;
    while (f.outbox.has_work(true)) {
      if (f.outbox.begun()) {
        left.push_back(std::to_integer<std::uint8_t>(f.outbox.remainder()[0]));
        f.outbox.finish_begun();
        continue;
      }
      const std::size_t count = f.outbox.take(f.batch, f.nodes, true);
      const auto pieces = std::span(f.batch).first(count);
      const Marks taken = marks(pieces);
      const std::size_t bytes = prng.below(7 * count + 1);
      left.insert(left.end(), taken.begin(),
                  taken.begin() + static_cast<std::ptrdiff_t>(bytes / 7));
      REQUIRE(f.outbox.settle(pieces, bytes, f.nodes));
    }
    REQUIRE(left == expected);
    REQUIRE(f.outbox.backlog().bytes == 0);
    REQUIRE(f.frames.slab().blocks_outstanding() == 0);
  }
}

TEST_CASE("snapshots of different streams wait beside each other and leave together, in order") {
  Fixture f;
  constexpr auto policy = LatestPolicy::replace_waiting;
  f.outbox.put_latest(f.frames.make(1, 1, 5, 3), policy);
  f.outbox.put_latest(f.frames.make(1, 2, 6, 0), policy);
  f.outbox.put_reliable(f.frames.make(1, 3), f.nodes, f.limits);
  REQUIRE(f.outbox.put_latest(f.frames.make(1, 4, 7, 3), policy) == Outbox::Put::replaced);
  REQUIRE(f.outbox.backlog().frames == 3);
  REQUIRE(f.outbox.take(f.batch, f.nodes, false) == 1);
  f.batch[0].frame.reset();
  REQUIRE(f.outbox.take(f.batch, f.nodes, true) == 2);
  REQUIRE(f.batch[0].frame.bytes()[0] == std::byte{2});
  REQUIRE(f.batch[1].frame.bytes()[0] == std::byte{4});
  // Back they come; what is newer by then stays.
  f.outbox.put_latest(f.frames.make(1, 5, 8, 0), policy);
  REQUIRE(f.outbox.settle(std::span(f.batch).first(2), 0, f.nodes));
  REQUIRE(f.outbox.take(f.batch, f.nodes, true) == 2);
  REQUIRE(f.batch[0].frame.bytes()[0] == std::byte{5});
  REQUIRE(f.batch[1].frame.bytes()[0] == std::byte{4});
  for (Piece& piece : f.batch) piece.frame.reset();
  REQUIRE_FALSE(f.outbox.has_work(true));
}

TEST_CASE("snapshots go all together or not yet") {
  Fixture f;
  f.limits.reliable_frames_max = 40;
  for (std::size_t count = 0; count + 1 < batch_pieces_max; ++count) {
    f.outbox.put_reliable(f.frames.make(1, 1), f.nodes, f.limits);
  }
  for (std::uint8_t stream = 0; stream < 2; ++stream) {
    f.outbox.put_latest(f.frames.make(1, 2, 1, stream), LatestPolicy::replace_waiting);
  }
  REQUIRE(f.outbox.take(f.batch, f.nodes, true) == batch_pieces_max - 1);
  for (Piece& piece : f.batch) piece.frame.reset();
  REQUIRE(f.outbox.take(f.batch, f.nodes, true) == 2);
  for (Piece& piece : f.batch) piece.frame.reset();
}

TEST_CASE("a mark waits beside the snapshots of all streams, and goes with them or not yet") {
  Fixture f;
  for (std::uint8_t stream = 0; stream <= composed_stream; ++stream) {
    f.outbox.put_latest(f.frames.make(1, stream, 1, stream), LatestPolicy::replace_waiting);
  }
  // Without the mark there would be room for all.
  for (std::size_t count = 0; count < batch_pieces_max - streams; ++count) {
    f.outbox.put_reliable(f.frames.make(1, 9), f.nodes, f.limits);
  }
  REQUIRE(f.outbox.take(f.batch, f.nodes, true) == batch_pieces_max - streams);
  for (Piece& piece : f.batch) piece.frame.reset();
  REQUIRE(f.outbox.take(f.batch, f.nodes, true) == streams + 1);
  REQUIRE(f.batch[streams].frame.stream() == composed_stream);
  for (Piece& piece : f.batch) piece.frame.reset();
}

TEST_CASE("a snapshot that the client has not acknowledged its way to stays where it is") {
  Fixture f;
  f.outbox.put_latest(f.frames.make(1, 1), LatestPolicy::replace_waiting);
  REQUIRE_FALSE(f.outbox.has_work(false));
  REQUIRE(f.outbox.take(f.batch, f.nodes, false) == 0);
  REQUIRE(f.outbox.take(f.batch, f.nodes, true) == 1);
}

TEST_CASE(
    "nothing leaves behind the goodbye: a snapshot that could not leave before it is let go") {
  Fixture f;
  f.outbox.put_latest(f.frames.make(1, 1), LatestPolicy::replace_waiting);
  f.outbox.put_goodbye(f.frames.make(1, 2));
  const std::size_t count = f.outbox.take(f.batch, f.nodes, false);
  REQUIRE(lanes(std::span(f.batch).first(count)) == std::vector{Lane::goodbye});
  REQUIRE_FALSE(f.outbox.has_work(true));
}

TEST_CASE("the reliable lane overflows by frames, by bytes, and when the core's nodes are gone") {
  Fixture f;
  for (int count = 0; count < 20; ++count) {
    REQUIRE(f.outbox.put_reliable(f.frames.make(1, 1), f.nodes, f.limits) == Outbox::Put::queued);
  }
  REQUIRE(f.outbox.put_reliable(f.frames.make(1, 1), f.nodes, f.limits) == Outbox::Put::overflow);
  f.outbox.clear(f.nodes);
  REQUIRE(f.outbox.put_reliable(f.frames.make(1'999, 1), f.nodes, f.limits) == Outbox::Put::queued);
  REQUIRE(f.outbox.put_reliable(f.frames.make(2, 1), f.nodes, f.limits) == Outbox::Put::overflow);
  ReliableNodes few(1, 1);
  Outbox other;
  for (std::uint32_t count = 0; count < ReliableNodes::first_frames; ++count) {
    REQUIRE(other.put_reliable(f.frames.make(1, 1), few, f.limits) == Outbox::Put::queued);
  }
  REQUIRE(other.put_reliable(f.frames.make(1, 1), few, f.limits) == Outbox::Put::overflow);
  other.clear(few);
}

TEST_CASE("when half of what may wait is in use, a lane takes no more than its fair share") {
  Fixture f;
  ReliableNodes nodes(40, 4);  // a share of five
  Outbox greedy;
  Outbox modest;
  int held = 0;
  while (greedy.put_reliable(f.frames.make(1, 1), nodes, f.limits) == Outbox::Put::queued) ++held;
  REQUIRE(held == 20);
  for (int count = 0; count < 5; ++count) {
    REQUIRE(modest.put_reliable(f.frames.make(1, 1), nodes, f.limits) == Outbox::Put::queued);
  }
  REQUIRE(modest.put_reliable(f.frames.make(1, 1), nodes, f.limits) == Outbox::Put::overflow);
  greedy.clear(nodes);
  REQUIRE(modest.put_reliable(f.frames.make(1, 1), nodes, f.limits) == Outbox::Put::queued);
  modest.clear(nodes);
}

TEST_CASE("what a member is told when it joins always fits, however much waits for the others") {
  Fixture f;
  constexpr std::uint32_t lanes = 8;
  ReliableNodes nodes(4, lanes);
  std::array<Outbox, lanes - 1> greedy;
  for (Outbox& outbox : greedy) {
    while (outbox.put_reliable(f.frames.make(1, 1), nodes, f.limits) == Outbox::Put::queued) {
    }
  }
  Outbox newcomer;
  for (std::uint32_t count = 0; count < ReliableNodes::first_frames; ++count) {
    REQUIRE(newcomer.put_reliable(f.frames.make(1, 1), nodes, f.limits) == Outbox::Put::queued);
  }
  newcomer.clear(nodes);
  for (Outbox& outbox : greedy) outbox.clear(nodes);
}

TEST_CASE("one frame may always wait, even one that is larger than the limit") {
  Fixture f;
  REQUIRE(f.outbox.put_reliable(f.frames.make(5'000, 1), f.nodes, f.limits) == Outbox::Put::queued);
  REQUIRE(f.outbox.put_reliable(f.frames.make(1, 1), f.nodes, f.limits) == Outbox::Put::overflow);
}

TEST_CASE("with the reliable lane full there is still room for a pong and a goodbye") {
  Fixture f;
  while (f.outbox.put_reliable(f.frames.make(1, 1), f.nodes, f.limits) == Outbox::Put::queued) {
  }
  f.outbox.put_pong(f.frames.make(1, 8));
  f.outbox.put_goodbye(f.frames.make(1, 9));
  std::vector<Lane> order;
  while (const std::size_t count = f.outbox.take(f.batch, f.nodes, true)) {
    for (const Lane lane : lanes(std::span(f.batch).first(count))) order.push_back(lane);
    REQUIRE(f.outbox.settle(std::span(f.batch).first(count), SIZE_MAX, f.nodes));
  }
  REQUIRE(order.size() == 22);
  REQUIRE(order.front() == Lane::pong);
  REQUIRE(order.back() == Lane::goodbye);
}

TEST_CASE("what was cut in the middle is begun, and what did not leave is back in its place") {
  Fixture f;
  f.outbox.put_reliable(f.frames.make(10, 1), f.nodes, f.limits);
  f.outbox.put_reliable(f.frames.make(10, 2), f.nodes, f.limits);
  f.outbox.put_latest(f.frames.make(10, 3), LatestPolicy::replace_waiting);
  const std::size_t count = f.outbox.take(f.batch, f.nodes, true);
  REQUIRE(f.outbox.settle(std::span(f.batch).first(count), 14, f.nodes));
  REQUIRE(f.outbox.begun());
  REQUIRE(f.outbox.remainder().size() == 6);
  REQUIRE(f.outbox.remainder()[0] == std::byte{2});
  REQUIRE(f.outbox.has_latest());
  REQUIRE_FALSE(f.outbox.has_reliable());
}

TEST_CASE(
    "whatever is put and however much leaves: events keep order without a gap, snapshots rise, "
    "a begun frame finishes, every frame comes home") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    Prng prng(seed);
    FrameMaker frames;
    ReliableNodes nodes(40, 1);
    const OutboxLimits limits{.reliable_frames_max = 30, .reliable_bytes_max = 1'500};
    Outbox outbox;
    Batch batch;
    std::uint64_t next_event = 1;
    std::uint64_t expected_event = 1;
    std::uint64_t next_tick = 1;
    std::uint64_t seen_tick = 0;
    std::size_t waiting_events = 0;
    const auto arrive = [&](const FrameRef& frame, Lane lane) {
      if (lane == Lane::reliable) {
        REQUIRE(frame.tick() == expected_event++);
        --waiting_events;
      } else {
        REQUIRE(frame.tick() > seen_tick);
        seen_tick = frame.tick();
      }
    };
    for (int step = 0; step < 400; ++step) {
      const std::size_t size = 1 + prng.below(60);
      if (prng.chance(0.5)) {
        if (outbox.put_reliable(frames.make(size, 1, next_event), nodes, limits) ==
            Outbox::Put::queued) {
          ++next_event;
          ++waiting_events;
        } else {
          REQUIRE(outbox.backlog().frames >= 1);
        }
      }
      if (prng.chance(0.5)) {
        outbox.put_latest(frames.make(size, 2, next_tick++), prng.chance(0.5)
                                                                 ? LatestPolicy::replace_waiting
                                                                 : LatestPolicy::keep_waiting);
      }
      if (!prng.chance(0.6)) continue;
      if (outbox.begun()) {
        REQUIRE(outbox.remainder().size() > 0);
        outbox.finish_begun();
        continue;
      }
      const std::size_t count = outbox.take(batch, nodes, prng.chance(0.8));
      const std::span<Piece> taken = std::span(batch).first(count);
      std::size_t total = 0;
      for (const Piece& piece : taken) total += piece.frame.bytes().size();
      const std::size_t leaving = prng.chance(0.5) ? total : prng.below(total + 1);
      std::size_t left = leaving;
      for (const Piece& piece : taken) {
        if (left == 0) break;
        arrive(piece.frame, piece.lane);  // begun counts: it will finish before anything else
        left -= std::min(left, piece.frame.bytes().size());
      }
      REQUIRE(outbox.settle(taken, leaving, nodes));
    }
    REQUIRE(waiting_events == next_event - expected_event);
    outbox.clear(nodes);
    REQUIRE(nodes.in_use() == 0);
    REQUIRE(frames.slab().blocks_outstanding() == 0);
  }
}

}  // namespace
}  // namespace ringcast::room
