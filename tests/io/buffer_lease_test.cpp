#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "catch.h"
#include "io/io.h"

namespace ringcast::io {
namespace {

/// Lends, and records what comes home; does nothing else of an Io.
class Lender final : public Io {
 public:
  [[nodiscard]] BufferLease lend(std::uint16_t id) { return {*this, id, bytes_}; }
  std::vector<std::uint16_t> returned;

  void accept(Socket, Token) override {}
  [[nodiscard]] std::optional<IpAddress> peer_address(Socket) const override { return {}; }
  void receive(Socket, ReceiveMode, Token) override {}
  void send(Socket, std::span<const std::byte>, SendMode, Token) override {}
  void send_gathered(Socket, std::span<const std::span<const std::byte>>, SendMode,
                     Token) override {}
  void wait_writable(Socket, Token) override {}
  void cancel(Token, Token) override {}
  void shutdown(Socket, ShutdownHow) override {}
  void close(Socket, Token) override {}
  [[nodiscard]] RingName ring() const override { return {}; }
  void hand_over(Socket, RingName, Token) override {}
  void wake(RingName) override {}
  void send_chain(Socket, std::span<const std::span<const std::byte>>, Token) override {}
  void send_zero_copy(Socket, std::span<const std::byte>, Token) override {}
  void watch_doorbell(Token) override {}
  Doorbell& doorbell() override { return doorbell_; }
  std::span<Completion> submit() override { return {}; }
  std::span<Completion> wait(Instant) override { return {}; }
  [[nodiscard]] bool has_left_behind() const override { return false; }
  std::span<std::byte> frame_memory() override { return {}; }
  [[nodiscard]] std::size_t registered_bytes() const override { return 0; }

 private:
  struct Silent final : Doorbell {
    void ring() noexcept override {}
  };
  void take_back(std::uint16_t id) override { returned.push_back(id); }
  std::array<std::byte, 8> bytes_{};
  Silent doorbell_;
};

using Ids = std::vector<std::uint16_t>;

TEST_CASE("a lease gives its buffer back when it ends, once") {
  Lender lender;
  {
    BufferLease lease = lender.lend(3);
    REQUIRE(lease);
    REQUIRE(lease.bytes().size() == 8);
    const BufferLease moved = std::move(lease);
    REQUIRE(moved.bytes().size() == 8);
    REQUIRE(lender.returned.empty());
  }
  REQUIRE(lender.returned == Ids{3});
}

TEST_CASE("a lease given back early is not given back again") {
  Lender lender;
  {
    BufferLease lease = lender.lend(4);
    lease.reset();
    REQUIRE_FALSE(lease);
    REQUIRE(lease.bytes().empty());
    lease.reset();
  }
  REQUIRE(lender.returned == Ids{4});
}

TEST_CASE("assigning a lease loses neither buffer") {
  Lender lender;
  {
    BufferLease lease = lender.lend(1);
    lease = lender.lend(2);
    REQUIRE(lender.returned == Ids{1});
  }
  REQUIRE(lender.returned == Ids{1, 2});
}

}  // namespace
}  // namespace ringcast::io
