// Writing envelopes. A nested message's last field is its payload, so all the rest is a prefix:
// first the nested message's own fields with the payload's tag and length, then the tag and length
// of the nested message itself. Fields that hold their default are left out, as in all of proto3.
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <array>
#include <cassert>

#include "envelope.pb.h"
#include "wire/envelope.h"

namespace ringcast::wire {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;
using ByteView = std::span<const std::byte>;

/// Appends fields to memory that is large enough.
class Writer {
 public:
  explicit Writer(std::span<std::byte> out)
      : out_(out), at_(reinterpret_cast<std::uint8_t*>(out.data())) {}

  void varint(int field, std::uint64_t value) {
    if (value != 0) at_ = WireFormatLite::WriteUInt64ToArray(field, value, at_);
  }
  void fixed64(int field, std::uint64_t value) {
    if (value != 0) at_ = WireFormatLite::WriteFixed64ToArray(field, value, at_);
  }
  void bytes(int field, ByteView value) {
    if (value.empty()) return;
    open(field, value.size());
    raw(value);
  }
  void text(int field, std::string_view value) { bytes(field, std::as_bytes(std::span(value))); }
  /// The tag and length of a field whose `size` bytes follow.
  void open(int field, std::size_t size) {
    at_ = WireFormatLite::WriteTagToArray(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED, at_);
    at_ = CodedOutputStream::WriteVarint32ToArray(static_cast<std::uint32_t>(size), at_);
  }
  void raw(ByteView value) {
    if (value.empty()) return;  // it may have no address, which memcpy must not be given
    at_ = CodedOutputStream::WriteRawToArray(value.data(), static_cast<int>(value.size()), at_);
  }

  [[nodiscard]] ByteView written() const {
    const auto size =
        static_cast<std::size_t>(at_ - reinterpret_cast<const std::uint8_t*>(out_.data()));
    assert(size <= out_.size());
    return out_.first(size);
  }

 private:
  std::span<std::byte> out_;
  std::uint8_t* at_;
};

using Scratch = std::array<std::byte, prefix_bytes_max>;

void prepend(FrameBuffer& buffer, ByteView prefix) {
  std::ranges::copy(prefix, buffer.prepend(prefix.size()).begin());
}

/// Makes what `buffer` holds, and the bytes behind it, the length-delimited field `field`.
void prefix_length(FrameBuffer& buffer, int field, std::size_t bytes_behind = 0) {
  Scratch scratch;
  Writer out(scratch);
  out.open(field, buffer.bytes().size() + bytes_behind);
  prepend(buffer, out.written());
}

void write_fields(Writer& out, const SnapshotHeader& header) {
  out.varint(v1::Snapshot::kTickFieldNumber, header.tick);
  out.fixed64(v1::Snapshot::kServerTimeUnixNsFieldNumber,
              static_cast<std::uint64_t>(header.server_time));
  out.varint(v1::Snapshot::kStreamFieldNumber, header.stream);
  out.varint(v1::Snapshot::kFullFieldNumber, header.full ? 1 : 0);
}

void write_fields(Writer& out, const EventHeader& header) {
  out.varint(v1::Event::kSequenceFieldNumber, header.sequence);
  out.varint(v1::Event::kTickFieldNumber, header.tick);
  out.varint(v1::Event::kPositionFieldNumber, header.position);
}

void write_fields(Writer& out, const Welcome& welcome) {
  out.text(v1::Welcome::kRoomFieldNumber, welcome.room);
  out.varint(v1::Welcome::kMemberIdFieldNumber, welcome.member_id);
  out.varint(v1::Welcome::kRateHzFieldNumber, welcome.rate_hz);
  out.varint(v1::Welcome::kTickFieldNumber, welcome.tick);
  out.fixed64(v1::Welcome::kServerTimeUnixNsFieldNumber,
              static_cast<std::uint64_t>(welcome.server_time));
  out.varint(v1::Welcome::kAcknowledgeEveryTicksFieldNumber, welcome.acknowledge_every_ticks);
  out.text(v1::Welcome::kServerVersionFieldNumber, welcome.server_version);
  out.varint(v1::Welcome::kEventSequenceFieldNumber, welcome.event_sequence);
  out.bytes(v1::Welcome::kResumeTokenFieldNumber, welcome.resume_token);
  out.varint(v1::Welcome::kResumedFieldNumber, welcome.resumed ? 1 : 0);
  out.varint(v1::Welcome::kEventsCompleteFieldNumber, welcome.events_complete ? 1 : 0);
  out.varint(v1::Welcome::kEventPositionFieldNumber, welcome.event_position);
  out.varint(v1::Welcome::kResumeMsFieldNumber, welcome.resume_ms);
  out.bytes(v1::Welcome::kReplicationSchemaFieldNumber, welcome.replication_schema);
}

void write_fields(Writer& out, const Ping& ping) {
  out.fixed64(v1::Ping::kSentNsFieldNumber, ping.sent_ns);
}

void write_fields(Writer& out, const Pong& pong) {
  out.fixed64(v1::Pong::kPingSentNsFieldNumber, pong.ping_sent_ns);
  out.fixed64(v1::Pong::kAnsweredUnixNsFieldNumber, pong.answered_unix_ns);
}

void write_fields(Writer& out, const Resync& resync) {
  out.varint(v1::Resync::kDigestDiffersFieldNumber, resync.digest_differs ? 1 : 0);
}

void write_fields(Writer& out, const ErrorMessage& error) {
  out.varint(v1::Error::kCodeFieldNumber, static_cast<std::uint64_t>(error.code));
  out.text(v1::Error::kTextFieldNumber, error.text);
}

void write_fields(Writer& out, const GoingAway& going_away) {
  out.varint(v1::GoingAway::kDelayMsFieldNumber, going_away.delay_ms);
}

void write_fields(Writer& out, const TokenTaken& taken) {
  out.varint(v1::TokenTaken::kGoodForMsFieldNumber, taken.good_for_ms);
}

/// Where a message stands in the ServerEnvelope, and the bytes of its texts.
struct Outline {
  int field;
  std::size_t text_bytes;
};
Outline outline(const Welcome& welcome) {
  return {v1::ServerEnvelope::kWelcomeFieldNumber,
          welcome.room.size() + welcome.server_version.size() + welcome.resume_token.size() +
              welcome.replication_schema.size()};
}
Outline outline(const Ping&) {
  return {v1::ServerEnvelope::kPingFieldNumber, 0};
}
Outline outline(const Pong&) {
  return {v1::ServerEnvelope::kPongFieldNumber, 0};
}
Outline outline(const ErrorMessage& error) {
  return {v1::ServerEnvelope::kErrorFieldNumber, error.text.size()};
}
Outline outline(const GoingAway&) {
  return {v1::ServerEnvelope::kGoingAwayFieldNumber, 0};
}
Outline outline(const TokenTaken&) {
  return {v1::ServerEnvelope::kTokenTakenFieldNumber, 0};
}

// The welcome has the most beside its texts: four 32-bit varints of up to 6 bytes, three of 64 bits
// of up to 11, a fixed64 of 9, two flags of 2, and four times up to 6 for the tag and length of a
// text make 94.
constexpr std::size_t scalar_bytes_max = 96;

template <class Header>
void prefix(FrameBuffer& buffer, const Header& header, int payload_field, int message_field,
            std::size_t bytes_behind) {
  Scratch scratch;
  Writer out(scratch);
  write_fields(out, header);
  if (!buffer.bytes().empty()) out.open(payload_field, buffer.bytes().size() + bytes_behind);
  prepend(buffer, out.written());
  prefix_length(buffer, message_field, bytes_behind);
}

}  // namespace

void prefix_snapshot(FrameBuffer& buffer, const SnapshotHeader& header, std::size_t bytes_behind) {
  prefix(buffer, header, v1::Snapshot::kPayloadFieldNumber,
         v1::ServerEnvelope::kSnapshotFieldNumber, bytes_behind);
}

void prefix_event(FrameBuffer& buffer, const EventHeader& header, std::size_t bytes_behind) {
  prefix(buffer, header, v1::Event::kPayloadFieldNumber, v1::ServerEnvelope::kEventFieldNumber,
         bytes_behind);
}

std::size_t replicated_bytes(std::size_t frame_bytes) {
  return WireFormatLite::TagSize(v1::ServerEnvelope::kReplicatedFieldNumber,
                                 WireFormatLite::TYPE_BYTES) +
         CodedOutputStream::VarintSize32(static_cast<std::uint32_t>(frame_bytes)) + frame_bytes;
}

void write_replicated(ByteView frame, std::span<std::byte> out) {
  Writer writer(out);
  writer.open(v1::ServerEnvelope::kReplicatedFieldNumber, frame.size());
  writer.raw(frame);
  assert(writer.written().size() == out.size());
}

void prefix_replicated_times(FrameBuffer& buffer, std::span<const UnixNanoseconds> due) {
  static_assert(replicated_frames_max * (1 + sizeof(UnixNanoseconds)) <= prefix_bytes_max);
  Scratch scratch;
  Writer out(scratch);
  for (const UnixNanoseconds time : due) {
    out.fixed64(v1::ServerEnvelope::kReplicatedTimeUnixNsFieldNumber,
                static_cast<std::uint64_t>(time));
  }
  prepend(buffer, out.written());
}

std::optional<FrameBuffer> encode(FrameSlab& slab, FrameUse use, const ServerMessage& message) {
  return std::visit(
      [&](const auto& alternative) {
        const auto [field, text_bytes] = outline(alternative);
        auto buffer = slab.allocate(scalar_bytes_max + text_bytes, use);
        if (buffer) {
          Writer out(buffer->bytes());
          write_fields(out, alternative);
          buffer->truncate(out.written().size());
          prefix_length(*buffer, field);
        }
        return buffer;
      },
      message);
}

std::size_t encode_client(const ClientMessage& message, std::span<std::byte> out) {
  Scratch body_scratch;
  Writer body(body_scratch);
  ByteView payload;
  int field = 0;
  if (const auto* input = std::get_if<Input>(&message.body)) {
    field = v1::ClientEnvelope::kInputFieldNumber;
    payload = input->payload;
    if (!payload.empty()) body.open(v1::Input::kPayloadFieldNumber, payload.size());
  } else if (const auto* ping = std::get_if<Ping>(&message.body)) {
    field = v1::ClientEnvelope::kPingFieldNumber;
    write_fields(body, *ping);
  } else if (const auto* pong = std::get_if<Pong>(&message.body)) {
    field = v1::ClientEnvelope::kPongFieldNumber;
    write_fields(body, *pong);
  } else if (const auto* resync = std::get_if<Resync>(&message.body)) {
    field = v1::ClientEnvelope::kResyncFieldNumber;
    write_fields(body, *resync);
  } else if (const auto* renew = std::get_if<RenewToken>(&message.body)) {
    field = v1::ClientEnvelope::kRenewTokenFieldNumber;
    payload = std::as_bytes(std::span(renew->token));
    if (!payload.empty()) body.open(v1::RenewToken::kTokenFieldNumber, payload.size());
  }

  Scratch head_scratch;
  Writer head(head_scratch);
  head.varint(v1::ClientEnvelope::kNewestTickSeenFieldNumber, message.newest_tick_seen);
  if (field != 0) head.open(field, body.written().size() + payload.size());

  if (head.written().size() + body.written().size() + payload.size() > out.size()) return 0;
  Writer whole(out);
  whole.raw(head.written());
  whole.raw(body.written());
  whole.raw(payload);
  return whole.written().size();
}

}  // namespace ringcast::wire
