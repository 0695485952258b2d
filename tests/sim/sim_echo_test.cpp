// A small server over the simulated ring under every mix of faults: whatever it is told comes back,
// to the byte and in order, nothing is left behind, and a seed replays its run.
#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "catch.h"
#include "sim/sim_io.h"

namespace ringcast::sim {
namespace {

using Bytes = std::vector<std::byte>;

/// Sends back what it receives: quiet first, what is left of it whole, after room on EAGAIN.
class EchoServer {
 public:
  EchoServer(io::Io& io, io::Socket listener) : io_(io), listener_(listener) { accept(); }

  void turn(Instant deadline) {
    for (auto& [slot, session] : sessions_) flush(slot, session);
    for (io::Completion& completion : io_.wait(deadline)) {
      note(completion);
      act(completion);
    }
    for (auto& [slot, session] : sessions_) {
      if (std::exchange(session.quiet, false)) session.in_flight.clear();
    }
    for (auto& [slot, session] : sessions_) close_if_over(slot, session);
  }
  void stop() {
    stopping_ = true;
    if (accepting_) io_.cancel(token(accepting, 0), token(cancelling, 0));
    for (auto& [slot, session] : sessions_) {
      if (!session.closing) io_.shutdown(session.socket, io::ShutdownHow::both);
    }
  }
  [[nodiscard]] bool over() const { return stopping_ && !accepting_ && sessions_.empty(); }
  /// Depends on every completion, in order.
  [[nodiscard]] std::uint64_t trace() const { return trace_; }

 private:
  enum Kind : std::uint8_t { accepting = 1, receiving, sending, waiting, closing, cancelling };
  struct Session {
    io::Socket socket;
    Bytes to_send;
    Bytes in_flight;
    bool receives = false;
    bool quiet = false;  // a quiet send of this turn, not heard of
    bool sends = false;
    bool waits = false;
    bool ended = false;  // by the client
    bool failed = false;
    bool closing = false;
  };

  static io::Token token(Kind kind, std::uint32_t slot) {
    return {.kind = kind, .slot = slot, .generation = 1};
  }
  void note(const io::Completion& completion) {
    trace_ = (trace_ ^ completion.token.pack() ^ static_cast<std::uint32_t>(completion.result)) *
             0x100000001b3ULL;
  }
  void accept() {
    accepting_ = true;
    io_.accept(listener_, token(accepting, 0));
  }
  void receive(std::uint32_t slot, Session& session) {
    session.receives = true;
    io_.receive(session.socket, io::ReceiveMode::many, token(receiving, slot));
  }
  void flush(std::uint32_t slot, Session& session) {
    const bool busy = session.sends || session.waits || session.closing || session.failed;
    if (busy || session.to_send.empty()) return;
    session.in_flight = std::exchange(session.to_send, {});
    session.quiet = true;
    io_.send(session.socket, session.in_flight, io::SendMode::quiet, token(sending, slot));
  }
  void fail(Session& session) {
    session.failed = true;
    io_.shutdown(session.socket, io::ShutdownHow::both);
  }

  void act(io::Completion& completion) {
    const std::uint32_t slot = completion.token.slot;
    switch (static_cast<Kind>(completion.token.kind)) {
      case accepting:
        accepting_ = completion.more;
        if (completion.result >= 0) {
          Session& session = sessions_[next_slot_];
          session.socket = io::Socket{completion.result};
          receive(next_slot_++, session);
        }
        if (!accepting_ && !stopping_) accept();
        return;
      case receiving:
        return received(slot, sessions_.at(slot), completion);
      case sending:
        return sent(slot, sessions_.at(slot), completion.result);
      case waiting:
        sessions_.at(slot).waits = false;
        return;
      case closing:
        sessions_.erase(slot);
        return;
      case cancelling:
        return;
    }
  }
  void received(std::uint32_t slot, Session& session, const io::Completion& completion) {
    const auto bytes = completion.buffer.bytes();
    session.to_send.insert(session.to_send.end(), bytes.begin(), bytes.end());
    session.receives = completion.more;
    if (completion.more) return;
    if (completion.result > 0 || completion.result == -ENOBUFS) return receive(slot, session);
    if (completion.result == 0) {
      session.ended = true;
    } else {
      fail(session);
    }
  }
  void sent(std::uint32_t slot, Session& session, std::int32_t result) {
    const bool was_quiet = std::exchange(session.quiet, false);
    session.sends = false;
    if (result == -EAGAIN) {
      session.to_send.insert(session.to_send.begin(), session.in_flight.begin(),
                             session.in_flight.end());
      session.waits = true;
      io_.wait_writable(session.socket, token(waiting, slot));
    } else if (result < 0) {
      fail(session);
    } else if (const auto taken = static_cast<std::size_t>(result);
               taken < session.in_flight.size()) {
      if (!was_quiet) return fail(session);
      session.in_flight.erase(session.in_flight.begin(), session.in_flight.begin() + result);
      session.sends = true;
      io_.send(session.socket, session.in_flight, io::SendMode::whole, token(sending, slot));
    }
  }
  void close_if_over(std::uint32_t slot, Session& session) {
    const bool done = session.failed || (session.ended && session.to_send.empty());
    if (!done || session.closing || session.receives || session.sends || session.waits) return;
    session.closing = true;
    io_.close(session.socket, token(closing, slot));
  }

  io::Io& io_;
  io::Socket listener_;
  bool accepting_ = false;
  bool stopping_ = false;
  std::map<std::uint32_t, Session> sessions_;
  std::uint32_t next_slot_ = 1;
  std::uint64_t trace_ = 0;
};

struct Run {
  std::uint64_t trace = 0;
  std::size_t bytes_back = 0;
  std::size_t clients_whole = 0;
};

/// Some clients say something in pieces, read at their leisure and must hear all of it.
Run run(std::uint64_t seed) {
  SimClock clock;
  SimNetwork network(clock, seed, SimFaults::from_seed(seed));
  SimIo io(network, {.receive_buffers = 8, .receive_buffer_bytes = 512});
  const io::Socket listener = network.listen();
  EchoServer server(io, listener);
  Prng prng(seed + 1);

  struct Speaker {
    SimPeer peer;
    Bytes said;
    Bytes heard;
    std::size_t to_say;
  };
  std::vector<Speaker> speakers;
  for (std::uint64_t count = 1 + prng.below(5); count > 0; --count) {
    speakers.push_back({network.connect(listener), {}, {}, prng.below(20'000)});
  }
  const auto is_over = [](const Speaker& speaker) {
    return speaker.peer.was_reset() || (speaker.to_say == 0 && speaker.peer.ended());
  };
  for (int turn = 0; turn < 5'000 && !std::ranges::all_of(speakers, is_over); ++turn) {
    server.turn(clock.now() + std::chrono::milliseconds(16));
    for (Speaker& speaker : speakers) {
      if (prng.chance(0.5) && speaker.to_say > 0) {
        Bytes piece(std::min<std::size_t>(speaker.to_say, 1 + prng.below(3'000)));
        for (std::byte& byte : piece) byte = static_cast<std::byte>(prng.next());
        speaker.peer.send(piece);
        speaker.said.insert(speaker.said.end(), piece.begin(), piece.end());
        speaker.to_say -= piece.size();
      }
      if (speaker.to_say == 0) speaker.peer.shutdown();
      const Bytes heard = speaker.peer.receive(prng.below(4'000));
      speaker.heard.insert(speaker.heard.end(), heard.begin(), heard.end());
    }
  }
  Run result;
  for (const Speaker& speaker : speakers) {
    REQUIRE(is_over(speaker));
    REQUIRE(speaker.heard.size() <= speaker.said.size());
    REQUIRE(std::equal(speaker.heard.begin(), speaker.heard.end(), speaker.said.begin()));
    result.bytes_back += speaker.heard.size();
    if (speaker.peer.was_reset()) continue;
    REQUIRE(speaker.heard == speaker.said);
    ++result.clients_whole;
  }
  server.stop();
  for (int turn = 0; turn < 1'000 && !server.over(); ++turn) {
    server.turn(clock.now() + std::chrono::milliseconds(16));
  }
  REQUIRE(server.over());
  (void)io.wait(clock.now() + std::chrono::seconds(1));  // the cancel's own completion
  (void)io.submit();
  REQUIRE(io.leftovers().empty());
  REQUIRE(network.sockets_open() == 1);  // the listener
  result.trace = server.trace();
  return result;
}

TEST_CASE(
    "whatever the network and the ring do, an echo is complete, in order and leaves nothing") {
  std::size_t whole = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    whole += run(seed).clients_whole;
  }
  REQUIRE(whole > 300);
}

TEST_CASE("a seed replays its run, and another seed is another run") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    const Run first = run(seed);
    const Run second = run(seed);
    REQUIRE(first.trace == second.trace);
    REQUIRE(first.bytes_back == second.bytes_back);
    REQUIRE(run(seed + 100).trace != first.trace);
  }
}

}  // namespace
}  // namespace ringcast::sim
