// wslay tells of a frame only with its first payload byte, and never how many bytes it holds back.
// So the decoder counts: bytes given to wslay against headers and payload seen coming out. What is
// unaccounted for when the input ends is an unfinished header; its bytes are kept, so that a frame
// is judged as soon as its header is complete, before any of its payload.
#include "ws/frame_decoder.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "ws/frame_header.h"
#include "ws/wslay_context.h"

namespace ringcast::ws {
namespace {

/// A wslay context and the input it reads from. Owned by a session or kept by a decoder, and free
/// of pointers to either.
class FrameReader {
 public:
  void give(std::span<const std::byte> bytes) { input_ = bytes; }
  /// The next piece of a frame, of this many payload bytes; or a negative wslay_error.
  [[nodiscard]] ssize_t read(wslay_frame_iocb& piece) {
    return wslay_frame_recv(context_.get(), &piece);
  }

 private:
  static ssize_t take(std::uint8_t* out, std::size_t room, int /*flags*/, void* self) {
    std::span<const std::byte>& input = static_cast<FrameReader*>(self)->input_;
    const std::size_t taken = std::min(room, input.size());
    if (taken == 0) return -1;
    std::memcpy(out, input.data(), taken);
    input = input.subspan(taken);
    return static_cast<ssize_t>(taken);
  }

  std::span<const std::byte> input_;
  WslayContext context_{
      {.send_callback = nullptr, .recv_callback = take, .genmask_callback = nullptr}, this};
};

}  // namespace

/// What is half received. The decoder lends one to sessions that have none.
struct PartialStream {
  std::unique_ptr<FrameReader> reader;

  bool in_frame = false;  ///< the header is judged, the payload is not all here
  FrameHeader frame;
  std::uint64_t frame_bytes_seen = 0;
  std::size_t header_bytes = 0;  ///< of a header that is not complete
  std::array<std::byte, frame_header_bytes_max> header;
  std::array<std::byte, control_payload_bytes_max> control;

  bool in_message = false;
  Opcode message_opcode = Opcode::binary;
  Utf8Validator utf8;
  std::vector<std::byte> message;
};

namespace {

/// One call of decode(). Every step says whether to go on; a step that says no has told why.
class Decoding {
 public:
  Decoding(Role role, FrameDecoder::Limits limits, PartialStream& stream, DecoderEvents& events)
      : role_(role), limits_(limits), stream_(stream), events_(events) {}

  [[nodiscard]] bool run(std::span<const std::byte> bytes);
  /// The reader holds nothing of this stream.
  [[nodiscard]] bool between_frames() const { return !stream_.in_frame && unaccounted_ == 0; }

 private:
  bool keep_header(std::span<const std::byte> bytes);
  bool begin_frame(const FrameHeader& header);
  bool announce(const FrameHeader& header);
  bool take_data(std::span<const std::byte> piece);
  bool take_control(std::span<const std::byte> piece);
  bool close(std::span<const std::byte> payload);
  bool violation(CloseCode code, std::string_view reason) {
    events_.on_violation(code, reason);
    return false;
  }

  Role role_;
  FrameDecoder::Limits limits_;
  PartialStream& stream_;
  DecoderEvents& events_;
  std::size_t unaccounted_ = 0;
};

bool Decoding::run(std::span<const std::byte> bytes) {
  unaccounted_ = stream_.header_bytes + bytes.size();
  stream_.reader->give(bytes);
  while (unaccounted_ > 0) {
    wslay_frame_iocb piece;
    const ssize_t taken = stream_.reader->read(piece);
    if (taken == WSLAY_ERR_WANT_READ) return keep_header(bytes);
    if (taken < 0) return violation(CloseCode::protocol_error, "malformed frame header");
    if (!stream_.in_frame) {
      const FrameHeader header = read_header(piece);
      unaccounted_ -= header.wire_bytes();
      if (!begin_frame(header)) return false;
    }
    unaccounted_ -= piece.data_length;
    stream_.frame_bytes_seen += piece.data_length;
    stream_.in_frame = stream_.frame_bytes_seen < stream_.frame.payload_bytes;
    const std::span payload(reinterpret_cast<const std::byte*>(piece.data), piece.data_length);
    const bool go_on = stream_.frame.is_control() ? take_control(payload) : take_data(payload);
    if (!go_on) return false;
  }
  return true;
}

/// wslay wants more: what it holds back is a header, of which `bytes` ends with the newest part.
bool Decoding::keep_header(std::span<const std::byte> bytes) {
  assert(!stream_.in_frame && unaccounted_ <= stream_.header.size());
  const auto fresh = bytes.last(unaccounted_ - stream_.header_bytes);
  std::ranges::copy(fresh, stream_.header.begin() + stream_.header_bytes);
  stream_.header_bytes = unaccounted_;
  const auto header = read_header(std::span(stream_.header).first(stream_.header_bytes));
  if (!header) return true;
  unaccounted_ = 0;
  return begin_frame(*header);
}

bool Decoding::begin_frame(const FrameHeader& header) {
  stream_.in_frame = true;
  stream_.frame = header;
  stream_.frame_bytes_seen = 0;
  stream_.header_bytes = 0;
  if (header.reserved_bits != 0) {
    return violation(CloseCode::protocol_error, "reserved bits are set");
  }
  if (header.opcode_reserved()) return violation(CloseCode::protocol_error, "reserved opcode");
  if (header.masked != (role_ == Role::server)) {
    return violation(CloseCode::protocol_error,
                     header.masked ? "frame is masked" : "frame is not masked");
  }
  if (header.is_control()) return announce(header);  // wslay has checked it: it is short and final

  if (header.is(Opcode::continuation) != stream_.in_message) {
    return violation(CloseCode::protocol_error, stream_.in_message
                                                    ? "message begun inside a fragmented message"
                                                    : "continuation of no message");
  }
  // What has come of the message may be more than a limit that has changed since.
  const std::size_t room_left =
      limits_.message_bytes_max - std::min(limits_.message_bytes_max, stream_.message.size());
  if (header.payload_bytes > room_left) {
    return violation(CloseCode::message_too_big, "message is too big");
  }
  if (!stream_.in_message) {
    stream_.in_message = true;
    stream_.message_opcode = static_cast<Opcode>(header.opcode);
  }
  return announce(header);
}

bool Decoding::announce(const FrameHeader& header) {
  return events_.on_frame(static_cast<Opcode>(header.opcode),
                          header.wire_bytes() + header.payload_bytes);
}

bool Decoding::take_data(std::span<const std::byte> piece) {
  const bool text = stream_.message_opcode == Opcode::text;
  if (text && !stream_.utf8.feed(piece)) {
    return violation(CloseCode::invalid_payload, "text is not UTF-8");
  }
  const bool complete = !stream_.in_frame && stream_.frame.final;
  std::span<const std::byte> payload = piece;
  if (!complete || !stream_.message.empty()) {
    stream_.message.insert(stream_.message.end(), piece.begin(), piece.end());
    payload = stream_.message;
  }
  if (!complete) return true;

  if (text && !stream_.utf8.complete()) {
    return violation(CloseCode::invalid_payload, "text ends inside a character");
  }
  stream_.in_message = false;
  const bool go_on = events_.on_message(stream_.message_opcode, payload);
  stream_.message.clear();
  return go_on;
}

bool Decoding::take_control(std::span<const std::byte> piece) {
  std::span<const std::byte> payload = piece;
  if (piece.size() < stream_.frame.payload_bytes) {
    const auto end =
        stream_.control.begin() + static_cast<std::ptrdiff_t>(stream_.frame_bytes_seen);
    std::ranges::copy(piece, end - static_cast<std::ptrdiff_t>(piece.size()));
    payload = std::span(stream_.control).first(stream_.frame_bytes_seen);
  }
  if (stream_.in_frame) return true;
  if (stream_.frame.is(Opcode::ping)) return events_.on_ping(payload);
  if (stream_.frame.is(Opcode::pong)) return events_.on_pong(payload);
  return close(payload);
}

bool Decoding::close(std::span<const std::byte> payload) {
  if (payload.empty()) {
    events_.on_close(CloseCode::no_status, {});
    return false;
  }
  if (payload.size() == 1) return violation(CloseCode::protocol_error, "half a close code");
  const auto code = static_cast<std::uint16_t>(std::to_integer<unsigned>(payload[0]) << 8 |
                                               std::to_integer<unsigned>(payload[1]));
  if (!may_be_received(code)) return violation(CloseCode::protocol_error, "invalid close code");
  const auto reason = payload.subspan(2);
  if (!is_utf8(reason)) {
    return violation(CloseCode::invalid_payload, "close reason is not UTF-8");
  }
  // The codes of applications have no names.
  // NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange)
  events_.on_close(static_cast<CloseCode>(code),
                   {reinterpret_cast<const char*>(reason.data()), reason.size()});
  return false;
}

}  // namespace

DecoderState::DecoderState() = default;
DecoderState::~DecoderState() = default;
DecoderState::DecoderState(DecoderState&&) noexcept = default;
DecoderState& DecoderState::operator=(DecoderState&&) noexcept = default;

bool DecoderState::idle() const {
  return partial_ == nullptr;
}

/// What sessions in the middle of nothing decode with. One of each serves them all; sessions that
/// take theirs along bring them back, and a few are kept so that this costs no allocation.
struct FrameDecoder::Shared {
  static constexpr std::size_t spare_readers_max = 8;

  Role role;
  Limits limits;
  std::unique_ptr<PartialStream> spare_stream;
  std::vector<std::unique_ptr<FrameReader>> spare_readers;

  std::unique_ptr<PartialStream> lend_stream() {
    if (!spare_stream) spare_stream = std::make_unique<PartialStream>();
    return std::move(spare_stream);
  }
  std::unique_ptr<FrameReader> lend_reader() {
    if (spare_readers.empty()) return std::make_unique<FrameReader>();
    std::unique_ptr<FrameReader> reader = std::move(spare_readers.back());
    spare_readers.pop_back();
    return reader;
  }
  void take_back(std::unique_ptr<PartialStream> stream) { spare_stream = std::move(stream); }
  void take_back(std::unique_ptr<FrameReader> reader) {
    if (spare_readers.size() < spare_readers_max) spare_readers.push_back(std::move(reader));
  }
};

FrameDecoder::FrameDecoder(Role role, Limits limits)
    : shared_(std::make_unique<Shared>(role, limits)) {
  shared_->spare_readers.reserve(Shared::spare_readers_max);
}

FrameDecoder::~FrameDecoder() = default;

void FrameDecoder::set_limits(Limits limits) {
  shared_->limits = limits;
}

void FrameDecoder::decode(DecoderState& state, std::span<const std::byte> bytes,
                          DecoderEvents& events) {
  const bool lent = state.idle();
  std::unique_ptr<PartialStream> stream = lent ? shared_->lend_stream() : std::move(state.partial_);
  if (!stream->reader) stream->reader = shared_->lend_reader();

  Decoding decoding(shared_->role, shared_->limits, *stream, events);
  const bool go_on = decoding.run(bytes);

  if (decoding.between_frames()) shared_->take_back(std::move(stream->reader));
  if (!go_on) return;
  if (!stream->reader && !stream->in_message) {
    shared_->take_back(std::move(stream));
  } else {
    // A session keeps the memory that its message needs, not what the decoder had at hand.
    if (lent || !stream->in_message) stream->message.shrink_to_fit();
    state.partial_ = std::move(stream);
  }
}

}  // namespace ringcast::ws
