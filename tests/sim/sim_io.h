// io::Io over the simulated network: what uring::Ring does with a kernel, done with SimNetwork, a
// seed and a clock that stands still. Operations are tried when they are submitted and again
// whenever their socket changes; what they come to is held, delayed and shuffled as the faults say,
// never against what the contract orders. Whoever breaks the contract gets a ContractMisuse.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/frame.h"
#include "io/io.h"
#include "sim/sim_network.h"

namespace ringcast::sim {

struct SimIoOptions {
  /// wait() moves the clock as its core's thread would sleep; of several cores whoever turns them
  /// moves it, and wait() only looks.
  bool moves_clock = true;
  std::uint16_t receive_buffers = 64;
  std::size_t receive_buffer_bytes = 4'096;
  std::size_t frame_memory_bytes = 8 * FrameSlab::block_bytes_max;
  io::ZeroCopy zero_copy = io::ZeroCopy::reported;
  bool copies = false;  ///< what notifications report
  /// What acting on received bytes takes: the clock moves on so far when a buffer comes back.
  Nanoseconds receive_cost{};
};

/// The network outlives it. All of a simulated world runs on one thread, the doorbell included.
class SimIo final : public io::Io, private SocketWatcher {
 public:
  explicit SimIo(SimNetwork& network, const SimIoOptions& options = {});
  ~SimIo() override;

  void accept(io::Socket listener, io::Token token) override;
  [[nodiscard]] std::optional<IpAddress> peer_address(io::Socket socket) const override {
    return network_.peer_address(socket);
  }
  void receive(io::Socket socket, io::ReceiveMode mode, io::Token token) override;
  void send(io::Socket socket, std::span<const std::byte> bytes, io::SendMode mode,
            io::Token token) override;
  void send_gathered(io::Socket socket, std::span<const std::span<const std::byte>> pieces,
                     io::SendMode mode, io::Token token) override;
  void send_chain(io::Socket socket, std::span<const std::span<const std::byte>> pieces,
                  io::Token token) override;
  [[nodiscard]] io::ZeroCopy zero_copy() const override { return zero_copy_; }
  void send_zero_copy(io::Socket socket, std::span<const std::byte> bytes,
                      io::Token token) override;
  void wait_writable(io::Socket socket, io::Token token) override;
  void cancel(io::Token target, io::Token token) override;
  void shutdown(io::Socket socket, io::ShutdownHow how) override;
  void close(io::Socket socket, io::Token token) override;
  [[nodiscard]] io::RingName ring() const override { return {network_.place_of(*this), -1}; }
  void hand_over(io::Socket socket, io::RingName to, io::Token token) override;
  void wake(io::RingName other) override;
  void watch_doorbell(io::Token token) override;
  [[nodiscard]] io::Doorbell& doorbell() override { return doorbell_; }

  [[nodiscard]] std::span<io::Completion> submit() override;
  /// Moves the clock to the next event that completes something, or to the deadline.
  [[nodiscard]] std::span<io::Completion> wait(Instant deadline) override;

  [[nodiscard]] bool has_left_behind() const override { return false; }
  [[nodiscard]] std::span<std::byte> frame_memory() override { return frame_memory_; }
  [[nodiscard]] std::size_t registered_bytes() const override { return frame_memory_.size(); }

  /// What a send takes from now on: the clock moves on so far when it is submitted.
  void set_send_cost(Nanoseconds cost) { send_cost_ = cost; }

  /// What has not come home: operations without their last completion, receive buffers. Empty when
  /// all has; a sentence otherwise.
  [[nodiscard]] std::string leftovers() const;
  /// When the core's wait would end by itself: the deadline of the last wait() that found nothing,
  /// or the first completion due.
  [[nodiscard]] Instant wakes_at() const;
  [[nodiscard]] bool is_asleep() const { return asleep_until_.has_value(); }

 private:
  enum class Kind : std::uint8_t {
    accept,
    receive,
    send,
    writable,
    cancel,
    close,
    hand_over,
    wake,
    doorbell
  };
  struct Operation {
    Kind kind;
    io::Socket socket;
    io::Token token;
    io::Token target = {};  // of a cancel
    io::ReceiveMode receive_mode = io::ReceiveMode::once;
    io::SendMode send_mode = io::SendMode::quiet;
    bool completes = false;  ///< though quiet: a chain, a zero-copy send
    bool zero_copy = false;
    std::vector<std::span<const std::byte>> pieces = {};
    std::vector<std::byte> bytes = {};  // what the pieces held when the send was queued
    std::size_t sent = 0;
    std::uint64_t number = 0;
  };
  struct Outcome {
    Operation operation;
    std::int32_t result;
    bool more;
    std::optional<std::uint16_t> buffer;
    Instant due;
    bool notification = false;
  };
  /// What the contract forbids to have twice.
  struct Use {
    std::uint32_t operations = 0;
    bool sending = false;
    bool receiving = false;
    bool closing = false;
  };
  class SimDoorbell final : public io::Doorbell {
   public:
    explicit SimDoorbell(SimIo& io) : io_(io) {}
    void ring() noexcept override;

   private:
    SimIo& io_;
  };

  void take_back(std::uint16_t buffer_id) override;
  void socket_changed(io::Socket socket) override;
  void woken() override { doorbell_.ring(); }

  Use& use_of(io::Socket socket, const char* what);
  [[nodiscard]] Operation send_of(io::Socket socket,
                                  std::span<const std::span<const std::byte>> pieces,
                                  io::SendMode mode, io::Token token);
  void zero_copy_over(const Operation& operation, std::int32_t result);
  void enqueue(Operation operation);
  void execute_queued();
  void execute(Operation operation);
  void execute_cancel(const Operation& operation);
  /// Tries once more; true when the operation is over.
  [[nodiscard]] bool progress(Operation& operation);
  [[nodiscard]] bool progress_accept(const Operation& operation);
  [[nodiscard]] bool progress_receive(const Operation& operation);
  [[nodiscard]] bool progress_send(Operation& operation);
  void check_intact(const Operation& operation) const;
  void come_to(const Operation& operation, std::int32_t result, bool more = false,
               std::optional<std::uint16_t> buffer = std::nullopt);
  void begin_turn();
  [[nodiscard]] std::span<io::Completion> collect();
  void shuffle(std::vector<Outcome>& outcomes);
  void release(const Operation& operation);
  [[nodiscard]] std::optional<Instant> next_event() const;

  SimNetwork& network_;
  SimDoorbell doorbell_{*this};
  bool rung_ = false;
  std::optional<Operation> doorbell_watch_;
  std::vector<Operation> queued_;
  std::map<std::int32_t, std::vector<Operation>> pending_;
  std::vector<Outcome> outcomes_;
  std::vector<Operation> quiet_done_;  // handed over whole, over when the turn returns
  std::map<std::int32_t, Use> uses_;
  std::uint64_t operations_begun_ = 0;
  std::size_t buffer_bytes_;
  std::vector<std::vector<std::byte>> buffers_;
  std::vector<std::uint16_t> buffers_free_;
  std::uint32_t leases_ = 0;
  std::vector<std::byte> frame_storage_;
  std::span<std::byte> frame_memory_;
  std::vector<io::Completion> completions_;
  bool moves_clock_;
  io::ZeroCopy zero_copy_;
  bool copies_;
  Nanoseconds receive_cost_;
  Nanoseconds send_cost_{};
  std::optional<Instant> asleep_until_;
};

}  // namespace ringcast::sim
