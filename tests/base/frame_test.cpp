#include "base/frame.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/prng.h"
#include "catch.h"

namespace ringcast {
namespace {

struct Region {
  explicit Region(std::size_t bytes)
      : memory(static_cast<std::byte*>(std::aligned_alloc(64, bytes)), &std::free),
        span(memory.get(), bytes) {}
  std::unique_ptr<std::byte, decltype(&std::free)> memory;
  std::span<std::byte> span;
};

TEST_CASE("a frame's bytes are its payload behind the prefixes written before it") {
  Region region(FrameSlab::block_bytes_max);
  FrameSlab slab(region.span);
  auto buffer = slab.allocate(3, FrameUse::latest);
  REQUIRE(buffer);
  std::ranges::fill(buffer->bytes(), std::byte{7});
  buffer->prepend(1)[0] = std::byte{6};
  buffer->prepend(1)[0] = std::byte{5};
  buffer->set_tick(42, Instant{});
  const FrameRef frame = FrameSeal::seal(std::move(*buffer));
  const std::vector<std::byte> expected{std::byte{5}, std::byte{6}, std::byte{7}, std::byte{7},
                                        std::byte{7}};
  REQUIRE(std::ranges::equal(frame.bytes(), expected));
  REQUIRE(frame.tick() == 42);
}

TEST_CASE("the last holder gives the block back") {
  Region region(FrameSlab::block_bytes_max);
  FrameSlab slab(region.span);
  {
    FrameRef first = FrameSeal::seal(std::move(*slab.allocate(1000, FrameUse::latest)));
    const FrameRef second = first;
    REQUIRE(first.holders() == 2);
    first.reset();
    REQUIRE(second.holders() == 1);
    REQUIRE(slab.used_bytes() == 2048);
  }
  REQUIRE(slab.used_bytes() == 0);
  REQUIRE(slab.blocks_outstanding() == 0);
}

TEST_CASE("a buffer that is never sealed comes home, too") {
  Region region(FrameSlab::block_bytes_max);
  FrameSlab slab(region.span);
  {
    const auto buffer = slab.allocate(10, FrameUse::latest);
  }
  REQUIRE(slab.blocks_outstanding() == 0);
}

TEST_CASE("snapshots run out first, then events; a goodbye still finds room") {
  Region region(FrameSlab::block_bytes_max);
  FrameSlab slab(region.span);
  std::vector<FrameBuffer> held;
  const auto fill = [&](FrameUse use) {
    while (auto buffer = slab.allocate(100, use)) held.push_back(std::move(*buffer));
    return slab.used_bytes();
  };
  REQUIRE(fill(FrameUse::latest) == FrameSlab::block_bytes_max / 4 * 3);
  REQUIRE(fill(FrameUse::reliable) == FrameSlab::block_bytes_max / 32 * 31);
  REQUIRE(fill(FrameUse::control) == FrameSlab::block_bytes_max);
  REQUIRE(slab.exhausted_count() == 3);
}

TEST_CASE("a payload larger than a block is refused") {
  Region region(2 * FrameSlab::block_bytes_max);
  FrameSlab slab(region.span);
  REQUIRE(slab.allocate(FrameSlab::payload_bytes_max, FrameUse::control));
  REQUIRE_FALSE(slab.allocate(FrameSlab::payload_bytes_max + 1, FrameUse::control));
}

TEST_CASE("whatever comes and goes, blocks never overlap and all memory merges again") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Region region(4 * FrameSlab::block_bytes_max);
    FrameSlab slab(region.span);
    Prng prng(seed);
    struct Held {
      FrameBuffer buffer;
      std::byte mark;
    };
    std::vector<Held> held;
    for (int step = 0; step < 3000; ++step) {
      if (prng.chance(0.55)) {
        const std::size_t size = prng.below(prng.chance(0.1) ? 200'000 : 3'000);
        if (auto buffer = slab.allocate(size, FrameUse::control)) {
          const auto mark = static_cast<std::byte>(prng.below(256));
          std::ranges::fill(buffer->bytes(), mark);
          held.push_back({std::move(*buffer), mark});
        }
      } else if (!held.empty()) {
        const std::size_t pick = prng.below(held.size());
        const auto intact = [&](std::byte byte) { return byte == held[pick].mark; };
        REQUIRE(std::ranges::all_of(held[pick].buffer.bytes(), intact));
        std::swap(held[pick], held.back());
        held.pop_back();
      }
    }
    held.clear();
    REQUIRE(slab.used_bytes() == 0);
    for (int whole = 0; whole < 4; ++whole) {
      auto buffer = slab.allocate(FrameSlab::payload_bytes_max, FrameUse::control);
      REQUIRE(buffer);
      held.push_back({std::move(*buffer), std::byte{}});
    }
  }
}

TEST_CASE("while there are several accounts none can use up what the others need") {
  Region region(8 * FrameSlab::block_bytes_max);
  FrameSlab slab(region.span);
  slab.set_account_bytes_max(2 * FrameSlab::block_bytes_max);
  const FrameAccount greedy = slab.open_account();
  const FrameAccount modest = slab.open_account();
  constexpr std::size_t payload = 100'000;  // a block of 128 KiB
  const auto take_all = [&](FrameAccount account, FrameUse use) {
    const FrameCharge charge(slab, account);
    std::vector<FrameRef> held;
    while (auto buffer = slab.allocate(payload, use)) {
      held.push_back(FrameSeal::seal(std::move(*buffer)));
    }
    return held;
  };
  {
    const auto snapshots = take_all(greedy, FrameUse::latest);
    CHECK(snapshots.size() == 12);  // three quarters of two MiB
    CHECK(slab.is_short(greedy));
    CHECK(snapshots.front().memory_is_short());
    CHECK_FALSE(slab.is_short(modest));
    CHECK(slab.take_shortage());
    CHECK_FALSE(slab.take_shortage());
    const auto events = take_all(greedy, FrameUse::reliable);
    CHECK(events.size() == 4);
    CHECK(slab.used_by(greedy) == 2 * FrameSlab::block_bytes_max);
    const auto others = take_all(modest, FrameUse::latest);
    CHECK(others.size() == 12);
  }
  CHECK(slab.used_by(greedy) == 0);
  slab.close_account(modest);
  // Alone it may have all that snapshots may have.
  CHECK(take_all(greedy, FrameUse::latest).size() == 48);
  slab.close_account(greedy);
}

TEST_CASE("an account's number is used again once its blocks have come home") {
  Region region(FrameSlab::block_bytes_max);
  FrameSlab slab(region.span);
  const FrameAccount first = slab.open_account();
  {
    const FrameRef held = [&] {
      const FrameCharge charge(slab, first);
      return FrameSeal::seal(std::move(*slab.allocate(10, FrameUse::latest)));
    }();
    slab.close_account(first);
    CHECK(slab.open_account() != first);
  }
  CHECK(slab.open_account() == first);
}

}  // namespace
}  // namespace ringcast
