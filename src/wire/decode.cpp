// Reading envelopes as views: the fields of a message are visited in the order they came in, as the
// parser that protoc generates does, and the same bytes are refused. What a generated message would
// copy to the heap stays where it was received.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "envelope.pb.h"
#include "wire/envelope.h"

namespace ringcast::wire {
namespace {

using google::protobuf::internal::WireFormatLite;
using ByteView = std::span<const std::byte>;

constexpr std::uint32_t varint_tag(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT);
}
constexpr std::uint32_t fixed64_tag(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_FIXED64);
}
constexpr std::uint32_t bytes_tag(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

/// Takes fields from the front of a message. Every function is false when the bytes are malformed.
class Reader {
 public:
  /// `depth` is how many messages and groups may be nested below this one.
  Reader(ByteView bytes, int depth)
      : bytes_(bytes),
        input_(reinterpret_cast<const std::uint8_t*>(bytes.data()), static_cast<int>(bytes.size())),
        depth_(depth) {}

  [[nodiscard]] bool at_end() const { return position() == bytes_.size(); }
  [[nodiscard]] int depth() const { return depth_; }

  [[nodiscard]] bool tag(std::uint32_t& tag) {
    std::uint64_t value = 0;
    if (!varint_of(short_varint_bytes_max, value)) return false;
    tag = static_cast<std::uint32_t>(value);
    return WireFormatLite::GetTagFieldNumber(tag) != 0;
  }
  /// Like the generated parser, keeps the low bits of a varint that is too large for its field.
  template <class Value>
  [[nodiscard]] bool varint(Value& value) {
    std::uint64_t wide = 0;
    if (!varint_of(varint_bytes_max, wide)) return false;
    value = static_cast<Value>(wide);
    return true;
  }
  template <class Value>
  [[nodiscard]] bool fixed64(Value& value) {
    std::uint64_t wide = 0;
    if (!input_.ReadLittleEndian64(&wide)) return false;
    value = static_cast<Value>(wide);
    return true;
  }
  [[nodiscard]] bool bytes(ByteView& value) {
    std::uint64_t size = 0;
    if (!varint_of(short_varint_bytes_max, size) || size > bytes_.size() - position()) return false;
    value = bytes_.subspan(position(), static_cast<std::size_t>(size));
    return input_.Skip(static_cast<int>(size));
  }
  /// proto3: a string is UTF-8.
  [[nodiscard]] bool text(std::string_view& value) {
    ByteView view;
    if (!bytes(view)) return false;
    value = {reinterpret_cast<const char*>(view.data()), view.size()};
    return google::protobuf::internal::IsStructurallyValidUTF8(value.data(),
                                                               static_cast<int>(value.size()));
  }

  /// Skips the value of an unknown field.
  [[nodiscard]] bool skip(std::uint32_t tag) {
    std::uint64_t ignored = 0;
    ByteView ignored_bytes;
    switch (WireFormatLite::GetTagWireType(tag)) {
      case WireFormatLite::WIRETYPE_VARINT:
        return varint(ignored);
      case WireFormatLite::WIRETYPE_FIXED64:
        return fixed64(ignored);
      case WireFormatLite::WIRETYPE_LENGTH_DELIMITED:
        return bytes(ignored_bytes);
      case WireFormatLite::WIRETYPE_FIXED32:
        return input_.Skip(sizeof(std::uint32_t));
      case WireFormatLite::WIRETYPE_START_GROUP:
        return skip_group(WireFormatLite::GetTagFieldNumber(tag));
      case WireFormatLite::WIRETYPE_END_GROUP:
        return false;
    }
    return false;
  }

 private:
  static constexpr std::size_t varint_bytes_max = 10;
  /// Tags and lengths: 32 bits. CodedInputStream would take longer ones, the generated parser not.
  static constexpr std::size_t short_varint_bytes_max = 5;

  [[nodiscard]] std::size_t position() const {
    return static_cast<std::size_t>(input_.CurrentPosition());
  }
  [[nodiscard]] bool varint_of(std::size_t bytes_max, std::uint64_t& value) {
    const std::size_t begin = position();
    return input_.ReadVarint64(&value) && position() - begin <= bytes_max;
  }
  [[nodiscard]] bool skip_group(int field) {
    if (depth_ == 0) return false;
    --depth_;
    const std::uint32_t end = WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_END_GROUP);
    std::uint32_t inner = 0;
    while (tag(inner)) {
      if (inner == end) {
        ++depth_;
        return true;
      }
      if (!skip(inner)) return false;
    }
    return false;
  }

  ByteView bytes_;
  google::protobuf::io::CodedInputStream input_;
  int depth_;
};

/// Reads all fields into `message`, over what is in it already.
template <class Message>
bool read_all(Reader in, Message& message) {
  while (!in.at_end()) {
    std::uint32_t tag = 0;
    if (!in.tag(tag) || !read_field(in, tag, message)) return false;
  }
  return true;
}

/// Reads a message of a oneof. One that came before is merged with if it is of the same type, and
/// forgotten otherwise.
template <class Message, class Oneof>
bool read_alternative(Reader& in, Oneof& oneof) {
  ByteView bytes;
  if (in.depth() == 0 || !in.bytes(bytes)) return false;
  if (!std::holds_alternative<Message>(oneof)) oneof.template emplace<Message>();
  return read_all(Reader(bytes, in.depth() - 1), std::get<Message>(oneof));
}

bool read_field(Reader& in, std::uint32_t tag, Input& input) {
  switch (tag) {
    case bytes_tag(v1::Input::kPayloadFieldNumber):
      return in.bytes(input.payload);
    default:
      return in.skip(tag);
  }
}

bool read_field(Reader& in, std::uint32_t tag, Ping& ping) {
  switch (tag) {
    case fixed64_tag(v1::Ping::kSentNsFieldNumber):
      return in.fixed64(ping.sent_ns);
    default:
      return in.skip(tag);
  }
}

bool read_field(Reader& in, std::uint32_t tag, Pong& pong) {
  switch (tag) {
    case fixed64_tag(v1::Pong::kPingSentNsFieldNumber):
      return in.fixed64(pong.ping_sent_ns);
    case fixed64_tag(v1::Pong::kAnsweredUnixNsFieldNumber):
      return in.fixed64(pong.answered_unix_ns);
    default:
      return in.skip(tag);
  }
}

bool read_field(Reader& in, std::uint32_t tag, SnapshotView& snapshot) {
  switch (tag) {
    case varint_tag(v1::Snapshot::kTickFieldNumber):
      return in.varint(snapshot.header.tick);
    case fixed64_tag(v1::Snapshot::kServerTimeUnixNsFieldNumber):
      return in.fixed64(snapshot.header.server_time);
    case varint_tag(v1::Snapshot::kStreamFieldNumber):
      return in.varint(snapshot.header.stream);
    case varint_tag(v1::Snapshot::kFullFieldNumber):
      return in.varint(snapshot.header.full);
    case bytes_tag(v1::Snapshot::kPayloadFieldNumber):
      return in.bytes(snapshot.payload);
    default:
      return in.skip(tag);
  }
}

bool read_field(Reader& in, std::uint32_t tag, EventView& event) {
  switch (tag) {
    case varint_tag(v1::Event::kSequenceFieldNumber):
      return in.varint(event.header.sequence);
    case varint_tag(v1::Event::kTickFieldNumber):
      return in.varint(event.header.tick);
    case varint_tag(v1::Event::kPositionFieldNumber):
      return in.varint(event.header.position);
    case bytes_tag(v1::Event::kPayloadFieldNumber):
      return in.bytes(event.payload);
    default:
      return in.skip(tag);
  }
}

bool read_field(Reader& in, std::uint32_t tag, Welcome& welcome) {
  switch (tag) {
    case bytes_tag(v1::Welcome::kRoomFieldNumber):
      return in.text(welcome.room);
    case varint_tag(v1::Welcome::kMemberIdFieldNumber):
      return in.varint(welcome.member_id);
    case varint_tag(v1::Welcome::kRateHzFieldNumber):
      return in.varint(welcome.rate_hz);
    case varint_tag(v1::Welcome::kTickFieldNumber):
      return in.varint(welcome.tick);
    case fixed64_tag(v1::Welcome::kServerTimeUnixNsFieldNumber):
      return in.fixed64(welcome.server_time);
    case varint_tag(v1::Welcome::kAcknowledgeEveryTicksFieldNumber):
      return in.varint(welcome.acknowledge_every_ticks);
    case bytes_tag(v1::Welcome::kServerVersionFieldNumber):
      return in.text(welcome.server_version);
    case varint_tag(v1::Welcome::kEventSequenceFieldNumber):
      return in.varint(welcome.event_sequence);
    case bytes_tag(v1::Welcome::kResumeTokenFieldNumber):
      return in.bytes(welcome.resume_token);
    case varint_tag(v1::Welcome::kResumedFieldNumber):
      return in.varint(welcome.resumed);
    case varint_tag(v1::Welcome::kEventsCompleteFieldNumber):
      return in.varint(welcome.events_complete);
    case varint_tag(v1::Welcome::kEventPositionFieldNumber):
      return in.varint(welcome.event_position);
    case varint_tag(v1::Welcome::kResumeMsFieldNumber):
      return in.varint(welcome.resume_ms);
    case bytes_tag(v1::Welcome::kReplicationSchemaFieldNumber):
      return in.bytes(welcome.replication_schema);
    default:
      return in.skip(tag);
  }
}

bool read_code(Reader& in, ErrorCode& code) {
  std::int32_t value = 0;
  if (!in.varint(value)) return false;
  switch (value) {
    case v1::Error::CODE_RATE_LIMITED:
      code = ErrorCode::rate_limited;
      return true;
    case v1::Error::CODE_INBOX_FULL:
      code = ErrorCode::inbox_full;
      return true;
    default:
      code = ErrorCode::unspecified;
      return true;
  }
}

bool read_field(Reader& in, std::uint32_t tag, ErrorMessage& error) {
  switch (tag) {
    case varint_tag(v1::Error::kCodeFieldNumber):
      return read_code(in, error.code);
    case bytes_tag(v1::Error::kTextFieldNumber):
      return in.text(error.text);
    default:
      return in.skip(tag);
  }
}

bool read_field(Reader& in, std::uint32_t tag, GoingAway& going_away) {
  switch (tag) {
    case varint_tag(v1::GoingAway::kDelayMsFieldNumber):
      return in.varint(going_away.delay_ms);
    default:
      return in.skip(tag);
  }
}

bool read_field(Reader& in, std::uint32_t tag, Resync& resync) {
  switch (tag) {
    case varint_tag(v1::Resync::kDigestDiffersFieldNumber):
      return in.varint(resync.digest_differs);
    default:
      return in.skip(tag);
  }
}

bool read_field(Reader& in, std::uint32_t tag, TokenTaken& taken) {
  switch (tag) {
    case varint_tag(v1::TokenTaken::kGoodForMsFieldNumber):
      return in.varint(taken.good_for_ms);
    default:
      return in.skip(tag);
  }
}

bool read_field(Reader& in, std::uint32_t tag, RenewToken& renew) {
  switch (tag) {
    case bytes_tag(v1::RenewToken::kTokenFieldNumber):
      return in.text(renew.token);
    default:
      return in.skip(tag);
  }
}

bool read_field(Reader& in, std::uint32_t tag, ClientMessage& message) {
  switch (tag) {
    case varint_tag(v1::ClientEnvelope::kNewestTickSeenFieldNumber):
      return in.varint(message.newest_tick_seen);
    case bytes_tag(v1::ClientEnvelope::kInputFieldNumber):
      return read_alternative<Input>(in, message.body);
    case bytes_tag(v1::ClientEnvelope::kPingFieldNumber):
      return read_alternative<Ping>(in, message.body);
    case bytes_tag(v1::ClientEnvelope::kPongFieldNumber):
      return read_alternative<Pong>(in, message.body);
    case bytes_tag(v1::ClientEnvelope::kResyncFieldNumber):
      return read_alternative<Resync>(in, message.body);
    case bytes_tag(v1::ClientEnvelope::kRenewTokenFieldNumber):
      return read_alternative<RenewToken>(in, message.body);
    default:
      return in.skip(tag);
  }
}

/// With what stands beside the oneof.
struct ServerEnvelope {
  ServerView message;
  ReplicatedView replicated;
  std::size_t times = 0;  ///< of `replicated`
};

bool read_frame(Reader& in, ReplicatedView& replicated) {
  ByteView bytes;
  if (!in.bytes(bytes)) return false;
  if (replicated.count < replicated_frames_max) {
    replicated.first[replicated.count].bytes = bytes;
  }
  ++replicated.count;
  return true;
}

bool read_time(Reader& in, ServerEnvelope& envelope) {
  UnixNanoseconds due = 0;
  if (!in.fixed64(due)) return false;
  if (envelope.times < replicated_frames_max) envelope.replicated.first[envelope.times].due = due;
  ++envelope.times;
  return true;
}

/// As any parser must: of a repeated number it is the writer's choice.
bool read_packed_times(Reader& in, ServerEnvelope& envelope) {
  ByteView bytes;
  if (!in.bytes(bytes)) return false;
  Reader packed(bytes, 0);
  while (!packed.at_end()) {
    if (!read_time(packed, envelope)) return false;
  }
  return true;
}

bool read_field(Reader& in, std::uint32_t tag, ServerEnvelope& envelope) {
  ServerView& message = envelope.message;
  switch (tag) {
    case bytes_tag(v1::ServerEnvelope::kWelcomeFieldNumber):
      return read_alternative<Welcome>(in, message);
    case bytes_tag(v1::ServerEnvelope::kSnapshotFieldNumber):
      return read_alternative<SnapshotView>(in, message);
    case bytes_tag(v1::ServerEnvelope::kEventFieldNumber):
      return read_alternative<EventView>(in, message);
    case bytes_tag(v1::ServerEnvelope::kPingFieldNumber):
      return read_alternative<Ping>(in, message);
    case bytes_tag(v1::ServerEnvelope::kPongFieldNumber):
      return read_alternative<Pong>(in, message);
    case bytes_tag(v1::ServerEnvelope::kErrorFieldNumber):
      return read_alternative<ErrorMessage>(in, message);
    case bytes_tag(v1::ServerEnvelope::kGoingAwayFieldNumber):
      return read_alternative<GoingAway>(in, message);
    case bytes_tag(v1::ServerEnvelope::kTokenTakenFieldNumber):
      return read_alternative<TokenTaken>(in, message);
    case bytes_tag(v1::ServerEnvelope::kReplicatedFieldNumber):
      return read_frame(in, envelope.replicated);
    case fixed64_tag(v1::ServerEnvelope::kReplicatedTimeUnixNsFieldNumber):
      return read_time(in, envelope);
    case bytes_tag(v1::ServerEnvelope::kReplicatedTimeUnixNsFieldNumber):
      return read_packed_times(in, envelope);
    default:
      return in.skip(tag);
  }
}

/// protobuf's default limit.
constexpr int nesting_max = 100;

}  // namespace

std::optional<ClientMessage> decode_client(std::span<const std::byte> bytes) {
  ClientMessage message;
  if (!read_all(Reader(bytes, nesting_max), message)) return std::nullopt;
  return message;
}

std::optional<ServerView> decode_server(std::span<const std::byte> bytes) {
  ServerEnvelope envelope;
  if (!read_all(Reader(bytes, nesting_max), envelope)) return std::nullopt;
  if (std::holds_alternative<std::monostate>(envelope.message) && envelope.replicated.count > 0) {
    envelope.message = envelope.replicated;
  }
  return envelope.message;
}

}  // namespace ringcast::wire
