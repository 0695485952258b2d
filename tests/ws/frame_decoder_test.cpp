#include "ws/frame_decoder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "catch.h"
#include "ws/bytes.h"
#include "ws/event_recorder.h"

namespace ringcast::ws {
namespace {

constexpr FrameDecoder::Limits limits{.message_bytes_max = 20'000};

Events decode(const Bytes& stream, Role role = Role::server) {
  FrameDecoder decoder(role, limits);
  DecoderState state;
  EventRecorder recorder;
  decoder.decode(state, stream, recorder);
  return recorder.events();
}

Events decode_bytewise(const Bytes& stream, Role role = Role::server) {
  FrameDecoder decoder(role, limits);
  DecoderState state;
  EventRecorder recorder;
  for (std::size_t at = 0; at < stream.size() && !recorder.stopped(); ++at) {
    decoder.decode(state, std::span(stream).subspan(at, 1), recorder);
  }
  return recorder.events();
}

/// The kind of the only event, however the stream is cut.
std::string only_event(const Bytes& stream, Role role = Role::server) {
  const Events events = decode(stream, role);
  REQUIRE(events.size() == 1);
  REQUIRE(decode_bytewise(stream, role) == events);
  return events.front().kind;
}

Bytes close_frame(const Bytes& payload) {
  return client_frame(Opcode::close, payload);
}

Bytes close_frame(std::uint16_t code, const Bytes& reason = {}) {
  const Bytes number{static_cast<std::byte>(code >> 8), static_cast<std::byte>(code & 0xff)};
  return close_frame(number + reason);
}

TEST_CASE("the examples of RFC 6455 section 5.7 are understood") {
  REQUIRE(decode(hex("81 85 37 fa 21 3d 7f 9f 4d 51 58")) == Events{{"text", "Hello"}});
  REQUIRE(decode(hex("8a 85 37 fa 21 3d 7f 9f 4d 51 58")) == Events{{"pong", "Hello"}});
  REQUIRE(decode(hex("81 05 48 65 6c 6c 6f"), Role::client) == Events{{"text", "Hello"}});
  REQUIRE(decode(hex("01 03 48 65 6c 80 02 6c 6f"), Role::client) == Events{{"text", "Hello"}});
  REQUIRE(decode(hex("89 05 48 65 6c 6c 6f"), Role::client) == Events{{"ping", "Hello"}});
  const Bytes content(256, std::byte{'x'});
  REQUIRE(decode(hex("82 7e 01 00") + content, Role::client) ==
          Events{{"binary", std::string(256, 'x')}});
}

TEST_CASE("a message of any size comes whole, in one read and byte by byte") {
  const std::size_t size = GENERATE(0U, 1U, 125U, 126U, 4'088U, 4'089U, 4'096U, 16'384U, 20'000U);
  const std::string payload(size, 'p');
  const Bytes stream = client_frame(Opcode::binary, payload) + client_frame(Opcode::text, "next");
  const Events expected{{"binary", payload}, {"text", "next"}};
  REQUIRE(decode(stream) == expected);
  REQUIRE(decode_bytewise(stream) == expected);
}

TEST_CASE("control frames come between the fragments of a message") {
  Bytes continuation = client_frame(Opcode::continuation, "two");
  const Bytes stream = not_final(client_frame(Opcode::text, "one ")) +
                       client_frame(Opcode::ping, "are you there") +
                       not_final(client_frame(Opcode::continuation, "")) +
                       client_frame(Opcode::pong, "") + continuation;
  const Events expected{{"ping", "are you there"}, {"pong", ""}, {"text", "one two"}};
  REQUIRE(decode(stream) == expected);
  REQUIRE(decode_bytewise(stream) == expected);
}

TEST_CASE("an empty message is a message, fragmented or not") {
  REQUIRE(decode(client_frame(Opcode::text, "")) == Events{{"text", ""}});
  REQUIRE(decode(not_final(client_frame(Opcode::binary, "")) +
                 client_frame(Opcode::continuation, "")) == Events{{"binary", ""}});
}

TEST_CASE("a character may be cut by fragments") {
  const Bytes euro = text_bytes("\u20ac");
  const Bytes stream =
      not_final(client_frame(Opcode::text, std::span(euro).first(1))) +
      not_final(client_frame(Opcode::continuation, std::span(euro).subspan(1, 1))) +
      client_frame(Opcode::continuation, std::span(euro).subspan(2));
  REQUIRE(decode(stream) == Events{{"text", "\u20ac"}});
  REQUIRE(decode_bytewise(stream) == Events{{"text", "\u20ac"}});
}

TEST_CASE("binary messages are any bytes") {
  REQUIRE(decode(client_frame(Opcode::binary, hex("ff c0 80"))) ==
          Events{{"binary", as_text(hex("ff c0 80"))}});
}

TEST_CASE("every broken rule has its code") {
  const auto [rule, stream, code] = GENERATE(table<const char*, Bytes, const char*>({
      {"reserved bit 1", hex("c2 80 00 00 00 00"), "1002"},
      {"reserved bit 2", hex("a2 80 00 00 00 00"), "1002"},
      {"reserved bit 3", hex("92 80 00 00 00 00"), "1002"},
      {"reserved bit of a control frame", hex("c9 80 00 00 00 00"), "1002"},
      {"reserved data opcode 3", hex("83 80 00 00 00 00"), "1002"},
      {"reserved data opcode 7", hex("87 80 00 00 00 00"), "1002"},
      {"reserved control opcode 11", hex("8b 80 00 00 00 00"), "1002"},
      {"reserved control opcode 15", hex("8f 80 00 00 00 00"), "1002"},
      {"no mask", hex("82 01 00"), "1002"},
      {"no mask on an empty frame", hex("82 00"), "1002"},
      {"ping of 126 bytes", hex("89 fe 00 7e"), "1002"},
      {"fragmented ping", hex("09 80"), "1002"},
      {"fragmented close", hex("08 80"), "1002"},
      {"continuation of nothing", hex("80 80 00 00 00 00"), "1002"},
      {"continuation after the end", client_frame(Opcode::continuation, ""), "1002"},
      {"16-bit length below 126", hex("82 fe 00 7d"), "1002"},
      {"64-bit length below 65536", hex("82 ff 00 00 00 00 00 00 ff ff"), "1002"},
      {"64-bit length with its highest bit", hex("82 ff 80 00 00 00 00 00 00 00"), "1002"},
      {"message over the limit", hex("82 fe 4e 21 00 00 00 00"), "1009"},
      {"largest length there is", hex("82 ff 7f ff ff ff ff ff ff ff 00 00 00 00"), "1009"},
      {"bad text", client_frame(Opcode::text, hex("61 ff")), "1007"},
      {"text that ends inside a character", client_frame(Opcode::text, hex("e2 82")), "1007"},
      {"surrogate in text", client_frame(Opcode::text, hex("ed a0 80")), "1007"},
      {"close of one byte", close_frame(hex("03")), "1002"},
      {"close code 0", close_frame(0), "1002"},
      {"close code 999", close_frame(999), "1002"},
      {"close code 1004", close_frame(1004), "1002"},
      {"close code 1005", close_frame(1005), "1002"},
      {"close code 1006", close_frame(1006), "1002"},
      {"close code 1015", close_frame(1015), "1002"},
      {"close code 2999", close_frame(2999), "1002"},
      {"close code 5000", close_frame(5000), "1002"},
      {"close reason that is not UTF-8", close_frame(1000, hex("c3 28")), "1007"},
      {"close reason cut inside a character", close_frame(1000, hex("c3")), "1007"},
  }));
  INFO(rule);
  REQUIRE(only_event(stream) == "violation " + std::string(code));
}

TEST_CASE("a message cannot begin inside a fragmented one") {
  const Bytes begun = not_final(client_frame(Opcode::text, "one"));
  REQUIRE(only_event(begun + client_frame(Opcode::binary, "two")) == "violation 1002");
  REQUIRE(only_event(begun + begun) == "violation 1002");
}

TEST_CASE("the limit counts all fragments of a message, and each message by itself") {
  const std::string most(19'999, 'm');
  const Bytes begun = not_final(client_frame(Opcode::binary, most));
  const Bytes next = client_frame(Opcode::continuation, "n");
  REQUIRE(decode(begun + next + begun + next) ==
          Events{{"binary", most + "n"}, {"binary", most + "n"}});
  REQUIRE(only_event(begun + client_frame(Opcode::continuation, "no")) == "violation 1009");
}

TEST_CASE("a limit that changes holds for messages that have begun") {
  const Bytes begun = not_final(client_frame(Opcode::binary, std::string(100, 'm')));
  for (const std::size_t limit : {50U, 100U, 101U}) {
    FrameDecoder decoder(Role::server, limits);
    DecoderState state;
    EventRecorder recorder;
    decoder.decode(state, begun, recorder);
    decoder.set_limits({.message_bytes_max = limit});
    decoder.decode(state, client_frame(Opcode::continuation, "n"), recorder);
    REQUIRE(recorder.events().size() == 1);
    REQUIRE(recorder.events().front().kind == (limit == 101 ? "binary" : "violation 1009"));
  }
}

TEST_CASE("a client refuses masked frames") {
  REQUIRE(only_event(client_frame(Opcode::text, "Hello"), Role::client) == "violation 1002");
}

TEST_CASE("bad text is refused at its first bad byte, long before the message is whole") {
  Bytes stream = not_final(client_frame(Opcode::text, std::string(10'000, 'a')));
  stream[8 + 5] ^= std::byte{0xff};  // behind the header: 'a' becomes no character
  stream.resize(8 + 6);
  REQUIRE(only_event(stream) == "violation 1007");
}

TEST_CASE("a close is told with its code and reason, and ends the stream") {
  const Bytes more = client_frame(Opcode::text, "never seen");
  REQUIRE(decode(close_frame(1000, text_bytes("bye \u20ac")) + more) ==
          Events{{"close 1000", "bye \u20ac"}});
  REQUIRE(decode(close_frame(Bytes{}) + more) == Events{{"close 1005", ""}});
  const std::uint16_t code =
      GENERATE(std::uint16_t{1001}, std::uint16_t{1003}, std::uint16_t{1007}, std::uint16_t{1014},
               std::uint16_t{3000}, std::uint16_t{4999});
  REQUIRE(only_event(close_frame(code)) == "close " + std::to_string(code));
}

TEST_CASE("an event that says stop is the last one") {
  FrameDecoder decoder(Role::server, limits);
  DecoderState state;
  EventRecorder recorder(2);
  const Bytes frame = client_frame(Opcode::ping, "p");
  decoder.decode(state, frame + frame + frame, recorder);
  REQUIRE(recorder.events() == Events{{"ping", "p"}, {"ping", "p"}});
}

TEST_CASE("a stop in one session leaves nothing behind for the next") {
  FrameDecoder decoder(Role::server, limits);
  const Bytes broken = GENERATE(hex("82 fe 00"),                           // half a header
                                hex("82 05 01 02"),                        // no mask
                                client_frame(Opcode::text, hex("ff 61")),  // bad text
                                close_frame(1000) + hex("82 85 01"));
  {
    DecoderState state;
    EventRecorder recorder;
    decoder.decode(state, broken, recorder);
  }
  DecoderState state;
  EventRecorder recorder;
  decoder.decode(state, client_frame(Opcode::text, "clean"), recorder);
  REQUIRE(recorder.events() == Events{{"text", "clean"}});
  REQUIRE(state.idle());
}

TEST_CASE("a session is idle between messages and at no other time") {
  FrameDecoder decoder(Role::server, limits);
  DecoderState state;
  EventRecorder recorder;
  const Bytes stream =
      not_final(client_frame(Opcode::text, "a")) + client_frame(Opcode::continuation, "b");
  for (std::size_t at = 0; at < stream.size(); ++at) {
    REQUIRE(state.idle() == (at == 0));
    decoder.decode(state, std::span(stream).subspan(at, 1), recorder);
  }
  REQUIRE(state.idle());
  REQUIRE(recorder.events() == Events{{"text", "ab"}});
}

TEST_CASE("sessions in the middle of frames do not disturb each other") {
  FrameDecoder decoder(Role::server, limits);
  const std::size_t sessions = 20;
  std::vector<DecoderState> states(sessions);
  std::vector<EventRecorder> recorders(sessions);
  std::vector<Bytes> streams;
  for (std::size_t number = 0; number < sessions; ++number) {
    const std::string text = "session " + std::to_string(number);
    streams.push_back(not_final(client_frame(Opcode::text, text)) +
                      client_frame(Opcode::ping, text) + client_frame(Opcode::continuation, "."));
  }
  for (std::size_t at = 0; at < streams.back().size(); ++at) {
    for (std::size_t number = 0; number < sessions; ++number) {
      if (at >= streams[number].size()) continue;
      decoder.decode(states[number], std::span(streams[number]).subspan(at, 1), recorders[number]);
    }
  }
  for (std::size_t number = 0; number < sessions; ++number) {
    const std::string text = "session " + std::to_string(number);
    REQUIRE(recorders[number].events() == Events{{"ping", text}, {"text", text + "."}});
    REQUIRE(states[number].idle());
  }
}

TEST_CASE("a session in the middle of a frame moves to another decoder, and outlives its first") {
  std::optional<FrameDecoder> first(std::in_place, Role::server, limits);
  FrameDecoder second(Role::server, limits);
  EventRecorder recorder;
  const Bytes frame = client_frame(Opcode::text, "moved");
  DecoderState state;
  first->decode(state, std::span(frame).first(8), recorder);
  DecoderState moved = std::move(state);
  first.reset();
  second.decode(moved, std::span(frame).subspan(8), recorder);
  REQUIRE(recorder.events() == Events{{"text", "moved"}});
}

}  // namespace
}  // namespace ringcast::ws
