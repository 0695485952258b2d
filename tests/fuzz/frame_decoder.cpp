// Any bytes as a stream of frames. The first two bytes of the input choose the role and how the
// reads are cut. Properties: a split changes nothing; a state that is idle owes nothing; and what
// is told obeys the limits, is UTF-8 where it must be, and names codes that a peer may send.
#include "ws/frame_decoder.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/utf8.h"
#include "fuzz.h"
#include "ws/event_recorder.h"

namespace ringcast::ws {
namespace {

using fuzz::require;

constexpr FrameDecoder::Limits limits{.message_bytes_max = 4'200};

void require_allowed(const Events& events) {
  for (const Event& event : events) {
    const bool last = &event == &events.back();
    const auto payload = std::as_bytes(std::span(event.payload));
    if (event.kind == "text") require(is_utf8(payload), "text is UTF-8");
    if (event.kind == "text" || event.kind == "binary") {
      require(payload.size() <= limits.message_bytes_max, "a message is within the limit");
    } else if (event.kind == "ping" || event.kind == "pong") {
      require(payload.size() <= control_payload_bytes_max, "a control frame is small");
    } else if (event.kind.starts_with("close ")) {
      const int code = std::stoi(event.kind.substr(6));
      require(may_be_received(static_cast<std::uint16_t>(code)) ||
                  code == static_cast<int>(CloseCode::no_status),
              "a close code is one that a peer may send");
      require(is_utf8(payload), "a reason is UTF-8");
      require(last, "nothing comes after a close");
    } else {
      require(event.kind.starts_with("violation "), "there is no other event");
      require(last, "nothing comes after a violation");
    }
  }
}

void run(std::span<const std::byte> input) {
  const Role role = fuzz::take_byte(input) % 2 == 0 ? Role::server : Role::client;
  const std::size_t piece_bytes = 1 + fuzz::take_byte(input);
  FrameDecoder decoder(role, limits);

  EventRecorder expected;
  bool expected_idle = false;
  {
    DecoderState state;
    decoder.decode(state, input, expected);
    expected_idle = state.idle();
  }
  require_allowed(expected.events());

  DecoderState state;
  EventRecorder recorder;
  for (std::size_t fed = 0; fed < input.size() && !recorder.stopped(); fed += piece_bytes) {
    decoder.decode(state, input.subspan(fed, std::min(piece_bytes, input.size() - fed)), recorder);
  }
  require(recorder.events() == expected.events(), "a split changes nothing");
  require(state.idle() == expected_idle, "a split does not change what is half received");
}

}  // namespace
}  // namespace ringcast::ws

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ringcast::ws::run(std::as_bytes(std::span(data, size)));
  return 0;
}
