// An Io that does nothing: it keeps what it is asked for, in order, and the test says what became
// of it.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/frame.h"
#include "io/io.h"

namespace ringcast::server {

class RecordingIo final : public io::Io {
 public:
  enum class What : std::uint8_t {
    accept,
    receive,
    send,
    send_chain,
    send_zero_copy,
    wait_writable,
    cancel,
    shutdown,
    close,
    hand_over
  };
  struct Asked {
    What what{};
    io::Socket socket;
    io::Token token;
    std::string bytes = {};  ///< of a send
    io::ReceiveMode receive_mode = io::ReceiveMode::once;
    io::SendMode send_mode = io::SendMode::quiet;
    io::ShutdownHow how = io::ShutdownHow::both;
  };

  explicit RecordingIo(std::size_t frame_memory_bytes = 4 * FrameSlab::block_bytes_max)
      : storage_(frame_memory_bytes + 64), bytes_(frame_memory_bytes) {
    void* begin = storage_.data();
    std::size_t space = storage_.size();
    std::align(64, bytes_, begin, space);
    begin_ = static_cast<std::byte*>(begin);
  }

  /// What was asked for since the last call.
  [[nodiscard]] std::vector<Asked> take() { return std::exchange(asked_, {}); }
  [[nodiscard]] std::size_t count(What what) const {
    return static_cast<std::size_t>(std::ranges::count(asked_, what, &Asked::what));
  }
  /// A receive buffer that holds `text`.
  [[nodiscard]] io::BufferLease lend(std::string_view text) {
    lent_.emplace_back(text);
    return {*this, 0, std::as_writable_bytes(std::span(lent_.back()))};
  }

  std::size_t buffers_taken_back = 0;
  io::ZeroCopy its_zero_copy = io::ZeroCopy::none;

  void accept(io::Socket listener, io::Token token) override {
    asked_.push_back({.what = What::accept, .socket = listener, .token = token});
  }
  [[nodiscard]] std::optional<IpAddress> peer_address(io::Socket) const override {
    return std::nullopt;
  }
  void receive(io::Socket socket, io::ReceiveMode mode, io::Token token) override {
    asked_.push_back(
        {.what = What::receive, .socket = socket, .token = token, .receive_mode = mode});
  }
  void send(io::Socket socket, std::span<const std::byte> bytes, io::SendMode mode,
            io::Token token) override {
    const std::span<const std::byte> pieces[] = {bytes};
    ask(What::send, socket, pieces, mode, token);
  }
  void send_gathered(io::Socket socket, std::span<const std::span<const std::byte>> pieces,
                     io::SendMode mode, io::Token token) override {
    ask(What::send, socket, pieces, mode, token);
  }
  void send_chain(io::Socket socket, std::span<const std::span<const std::byte>> pieces,
                  io::Token token) override {
    ask(What::send_chain, socket, pieces, io::SendMode::quiet, token);
  }
  [[nodiscard]] io::ZeroCopy zero_copy() const override { return its_zero_copy; }
  void send_zero_copy(io::Socket socket, std::span<const std::byte> bytes,
                      io::Token token) override {
    const std::span<const std::byte> pieces[] = {bytes};
    ask(What::send_zero_copy, socket, pieces, io::SendMode::quiet, token);
  }
  void wait_writable(io::Socket socket, io::Token token) override {
    asked_.push_back({.what = What::wait_writable, .socket = socket, .token = token});
  }
  void cancel(io::Token target, io::Token) override {
    asked_.push_back({.what = What::cancel, .socket = {}, .token = target});
  }
  void shutdown(io::Socket socket, io::ShutdownHow how) override {
    asked_.push_back({.what = What::shutdown, .socket = socket, .token = {}, .how = how});
  }
  void close(io::Socket socket, io::Token token) override {
    asked_.push_back({.what = What::close, .socket = socket, .token = token});
  }
  [[nodiscard]] io::RingName ring() const override { return {}; }
  void hand_over(io::Socket socket, io::RingName, io::Token token) override {
    asked_.push_back({.what = What::hand_over, .socket = socket, .token = token});
  }
  void wake(io::RingName) override {}
  void watch_doorbell(io::Token) override {}
  [[nodiscard]] io::Doorbell& doorbell() override { return doorbell_; }
  [[nodiscard]] std::span<io::Completion> submit() override { return {}; }
  [[nodiscard]] std::span<io::Completion> wait(Instant) override { return {}; }
  [[nodiscard]] bool has_left_behind() const override { return false; }
  [[nodiscard]] std::span<std::byte> frame_memory() override { return {begin_, bytes_}; }
  [[nodiscard]] std::size_t registered_bytes() const override {
    return its_zero_copy == io::ZeroCopy::none ? 0 : bytes_;
  }

 private:
  class SilentDoorbell final : public io::Doorbell {
    void ring() noexcept override {}
  };

  void ask(What what, io::Socket socket, std::span<const std::span<const std::byte>> pieces,
           io::SendMode mode, io::Token token) {
    Asked& asked = asked_.emplace_back();
    asked = {.what = what, .socket = socket, .token = token, .send_mode = mode};
    for (const std::span<const std::byte> piece : pieces) {
      asked.bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    }
  }
  void take_back(std::uint16_t) override { ++buffers_taken_back; }

  std::vector<Asked> asked_;
  std::vector<std::string> lent_;
  std::vector<std::byte> storage_;
  std::byte* begin_ = nullptr;
  std::size_t bytes_;
  SilentDoorbell doorbell_;
};

}  // namespace ringcast::server
