// Any bytes as an envelope. Properties: what the generated parser refuses is refused and what it
// accepts is accepted; a client's message reads the same and survives being written again; views
// point into the bytes that came in.
#include "wire/envelope.h"

#include <google/protobuf/stubs/logging.h>

#include <cstdint>
#include <functional>
#include <iterator>
#include <string_view>
#include <vector>

#include "envelope.pb.h"
#include "fuzz.h"

namespace ringcast::wire {
namespace {

using fuzz::require;
using ByteView = std::span<const std::byte>;

template <class Envelope>
bool parse(Envelope& envelope, ByteView bytes) {
  return envelope.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

bool within(ByteView view, ByteView bytes) {
  const std::less_equal<> not_after;
  return view.empty() || (not_after(bytes.data(), view.data()) &&
                          not_after(view.data() + view.size(), bytes.data() + bytes.size()));
}

bool same(const ClientMessage& message, const v1::ClientEnvelope& expected) {
  if (message.newest_tick_seen != expected.newest_tick_seen()) return false;
  switch (expected.message_case()) {
    case v1::ClientEnvelope::kInput: {
      const auto* input = std::get_if<Input>(&message.body);
      return input != nullptr &&
             std::string_view(reinterpret_cast<const char*>(input->payload.data()),
                              input->payload.size()) == expected.input().payload();
    }
    case v1::ClientEnvelope::kPing: {
      const auto* ping = std::get_if<Ping>(&message.body);
      return ping != nullptr && ping->sent_ns == expected.ping().sent_ns();
    }
    case v1::ClientEnvelope::kPong: {
      const auto* pong = std::get_if<Pong>(&message.body);
      return pong != nullptr && pong->ping_sent_ns == expected.pong().ping_sent_ns() &&
             pong->answered_unix_ns == expected.pong().answered_unix_ns();
    }
    case v1::ClientEnvelope::kResync: {
      const auto* resync = std::get_if<Resync>(&message.body);
      return resync != nullptr && resync->digest_differs == expected.resync().digest_differs();
    }
    case v1::ClientEnvelope::kRenewToken: {
      const auto* renew = std::get_if<RenewToken>(&message.body);
      return renew != nullptr && renew->token == expected.renew_token().token();
    }
    case v1::ClientEnvelope::MESSAGE_NOT_SET:
      return std::holds_alternative<std::monostate>(message.body);
  }
  return false;
}

void run_client(ByteView bytes) {
  v1::ClientEnvelope expected;
  const bool accepted = parse(expected, bytes);
  const std::optional<ClientMessage> message = decode_client(bytes);
  require(message.has_value() == accepted, "a client's message is accepted as protobuf would");
  if (!message) return;
  require(same(*message, expected), "a client's message reads as protobuf reads it");

  std::size_t payload_bytes = 0;
  if (const auto* input = std::get_if<Input>(&message->body)) {
    require(within(input->payload, bytes), "an input is a view into what came in");
    payload_bytes = input->payload.size();
  }
  if (const auto* renew = std::get_if<RenewToken>(&message->body)) {
    payload_bytes = renew->token.size();
  }
  std::vector<std::byte> written(payload_bytes + 64);
  written.resize(encode_client(*message, written));
  v1::ClientEnvelope again;
  require(parse(again, written) && same(*message, again), "a client's message survives writing");
}

v1::ServerEnvelope::MessageCase kind(const ServerView& message) {
  static constexpr v1::ServerEnvelope::MessageCase kinds[] = {
      v1::ServerEnvelope::MESSAGE_NOT_SET, v1::ServerEnvelope::kSnapshot,
      v1::ServerEnvelope::kEvent,          v1::ServerEnvelope::kWelcome,
      v1::ServerEnvelope::kPing,           v1::ServerEnvelope::kPong,
      v1::ServerEnvelope::kError,          v1::ServerEnvelope::kGoingAway,
      v1::ServerEnvelope::MESSAGE_NOT_SET,  // replicated frames stand beside the oneof
      v1::ServerEnvelope::kTokenTaken};
  static_assert(std::size(kinds) == std::variant_size_v<ServerView>);
  return kinds[message.index()];
}

void run_server(ByteView bytes) {
  v1::ServerEnvelope expected;
  const bool accepted = parse(expected, bytes);
  const std::optional<ServerView> message = decode_server(bytes);
  require(message.has_value() == accepted, "a server's message is accepted as protobuf would");
  if (!message) return;
  require(kind(*message) == expected.message_case(),
          "a server's message is of the kind that protobuf reads");
  if (expected.message_case() != v1::ServerEnvelope::MESSAGE_NOT_SET) return;
  const auto* replicated = std::get_if<ReplicatedView>(&*message);
  require((replicated != nullptr ? replicated->count : 0) ==
              static_cast<std::size_t>(expected.replicated_size()),
          "a server's message has as many replicated frames as protobuf reads");
  if (replicated == nullptr) return;
  int index = 0;
  for (const ReplicatedFrameView& frame : replicated->frames()) {
    require(within(frame.bytes, bytes), "a replicated frame is a view into what came in");
    require(frame.bytes.size() == expected.replicated(index).size() &&
                frame.due ==
                    (index < expected.replicated_time_unix_ns_size()
                         ? static_cast<UnixNanoseconds>(expected.replicated_time_unix_ns(index))
                         : 0),
            "a replicated frame and its time read as protobuf reads them");
    ++index;
  }
}

}  // namespace
}  // namespace ringcast::wire

extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
  google::protobuf::SetLogHandler(nullptr);  // it logs every string that is not UTF-8
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  ringcast::wire::run_client(bytes);
  ringcast::wire::run_server(bytes);
  return 0;
}
