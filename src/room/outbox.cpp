// The lanes of an outbox. See outbox.h for the rules.
#include "room/outbox.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <exception>
#include <utility>

namespace ringcast::room {

ReliableNodes::ReliableNodes(std::uint32_t capacity, std::uint32_t lanes)
    : capacity_(capacity),
      nodes_(capacity + lanes * first_frames),
      fair_share_(std::max(first_frames, capacity / 2 / lanes)) {
  for (auto index = static_cast<std::uint32_t>(nodes_.size()); index > 0; --index) {
    nodes_[index - 1].next = free_;
    free_ = index - 1;
  }
}

std::uint32_t ReliableNodes::acquire(FrameRef frame) {
  if (free_ == none) return none;
  const std::uint32_t index = free_;
  free_ = nodes_[index].next;
  nodes_[index] = {std::move(frame), none};
  ++in_use_;
  return index;
}

FrameRef ReliableNodes::release(std::uint32_t index) {
  FrameRef frame = std::move(nodes_[index].frame);
  nodes_[index].next = free_;
  free_ = index;
  --in_use_;
  return frame;
}

Outbox::~Outbox() {
  assert(reliable_count_ == 0 || std::uncaught_exceptions() != 0);
}

Outbox::Put Outbox::put_latest(FrameRef frame, LatestPolicy policy) {
  const std::uint8_t stream = frame.stream();
  FrameRef& waiting = latest_[stream];
  if (!waiting) {
    waiting = std::move(frame);
    latest_waiting_ = static_cast<std::uint8_t>(latest_waiting_ | 1U << stream);
    return Put::queued;
  }
  if (policy == LatestPolicy::keep_waiting) return Put::dropped;
  waiting = std::move(frame);
  return Put::replaced;
}

void Outbox::drop_latest() {
  for (FrameRef& frame : latest_) frame.reset();
  latest_waiting_ = 0;
}

Outbox::Put Outbox::put_reliable(FrameRef frame, ReliableNodes& nodes, const OutboxLimits& limits) {
  std::size_t& bytes = bytes_like(frame);
  const std::size_t its_bytes = frame.is_fragment() ? frame.message_bytes() : frame.bytes().size();
  // One message always may wait, and one of several fragments, however large they are.
  const bool scarce = nodes.is_short() || frame.memory_is_short();
  const std::uint32_t frames_max = scarce ? std::min(limits.reliable_frames_max, nodes.fair_share())
                                          : limits.reliable_frames_max;
  const bool too_many_bytes = frame.is_fragment()
                                  ? bytes != 0 && bytes + its_bytes > limits.fragmented_bytes_max
                                  : bytes + its_bytes > limits.reliable_bytes_max;
  if (reliable_count_ != 0 && (reliable_count_ >= frames_max || too_many_bytes)) {
    return Put::overflow;
  }
  const std::uint32_t node = nodes.acquire(std::move(frame));
  if (node == ReliableNodes::none) return Put::overflow;
  (reliable_count_ == 0 ? reliable_head_ : nodes.nodes_[reliable_tail_].next) = node;
  reliable_tail_ = node;
  ++reliable_count_;
  bytes += its_bytes;
  return Put::queued;
}

// A fragment comes back before the one that it holds, when that is still the first that waits.
bool Outbox::push_front(FrameRef frame, ReliableNodes& nodes) {
  std::size_t& bytes = bytes_like(frame);
  const std::size_t message_bytes = frame.message_bytes();
  if (const FrameRef next = frame.next(); next && reliable_count_ != 0) {
    FrameRef& front = nodes.nodes_[reliable_head_].frame;
    if (front.identity() == next.identity()) {
      bytes += frame.bytes().size();
      front = std::move(frame);
      return true;
    }
  }
  const std::uint32_t node = nodes.acquire(std::move(frame));
  if (node == ReliableNodes::none) return false;
  nodes.nodes_[node].next = reliable_head_;
  if (reliable_count_ == 0) reliable_tail_ = node;
  reliable_head_ = node;
  ++reliable_count_;
  bytes += message_bytes;
  return true;
}

/// Of a message of several fragments: its first; the rest is then in its place.
FrameRef Outbox::pop_front(ReliableNodes& nodes) {
  const std::uint32_t node = reliable_head_;
  FrameRef& first = nodes.nodes_[node].frame;
  bytes_like(first) -= first.bytes().size();
  if (first.is_fragment()) {
    if (FrameRef next = first.next()) return std::exchange(first, std::move(next));
  }
  reliable_head_ = nodes.nodes_[node].next;
  --reliable_count_;
  return nodes.release(node);
}

std::size_t Outbox::take(std::span<Piece, batch_pieces_max> batch, ReliableNodes& nodes,
                         bool latest_allowed) {
  assert(!begun());
  std::size_t count = 0;
  if (pong_) batch[count++] = {std::move(pong_), Lane::pong};
  while (reliable_count_ != 0 && count < batch.size()) {
    batch[count++] = {pop_front(nodes), Lane::reliable};
  }
  if (reliable_count_ != 0) return count;
  if (has_latest() && latest_allowed) {
    const bool fits =
        count + latest_.size() <= batch.size() ||
        count + static_cast<std::size_t>(std::popcount(latest_waiting_)) <= batch.size();
    if (!fits) return count;
    if (latest_waiting_ == 1) {
      batch[count++] = {std::move(latest_[0]), Lane::latest};
    } else {
      for (FrameRef& frame : latest_) {
        if (frame) batch[count++] = {std::move(frame), Lane::latest};
      }
    }
    latest_waiting_ = 0;
  }
  if (goodbye_ && count < batch.size()) {
    batch[count++] = {std::move(goodbye_), Lane::goodbye};
    drop_latest();  // what came back when the goodbye waited already may not leave now
  }
  return count;
}

bool Outbox::settle(std::span<Piece> batch, std::size_t bytes_left, ReliableNodes& nodes) {
  std::size_t gone = 0;
  for (; gone < batch.size() && bytes_left > 0; ++gone) {
    Piece& piece = batch[gone];
    const std::size_t size = piece.frame.bytes().size();
    if (bytes_left < size) {
      begun_ = std::move(piece.frame);
      begun_offset_ = static_cast<std::uint32_t>(bytes_left);
      begun_lane_ = piece.lane;
      bytes_left = 0;
    } else {
      piece.frame.reset();
      bytes_left -= size;
    }
  }
  bool all_came_back = true;
  for (std::size_t index = batch.size(); index > gone; --index) {
    Piece& piece = batch[index - 1];
    switch (piece.lane) {
      case Lane::pong:
        if (!pong_) pong_ = std::move(piece.frame);
        break;
      case Lane::reliable:
        all_came_back = push_front(std::move(piece.frame), nodes) && all_came_back;
        break;
      case Lane::latest:
        static_cast<void>(put_latest(std::move(piece.frame), LatestPolicy::keep_waiting));
        break;
      case Lane::goodbye:
        goodbye_ = std::move(piece.frame);
        break;
    }
    piece.frame.reset();
  }
  return all_came_back;
}

Outbox::Backlog Outbox::backlog() const {
  Backlog backlog{reliable_count_, reliable_bytes_ + fragmented_bytes_};
  const auto add = [&backlog](const FrameRef& frame) {
    if (!frame) return;
    ++backlog.frames;
    backlog.bytes += frame.bytes().size();
  };
  for (const FrameRef& frame : latest_) add(frame);
  add(pong_);
  add(goodbye_);
  add(begun_);
  if (begun_) backlog.bytes -= begun_offset_;
  return backlog;
}

void Outbox::drop_waiting(ReliableNodes& nodes) {
  drop_latest();
  pong_.reset();
  goodbye_.reset();
  while (reliable_count_ != 0) {
    const std::uint32_t node = reliable_head_;
    reliable_head_ = nodes.nodes_[node].next;
    nodes.release(node).reset();
    --reliable_count_;
  }
  reliable_bytes_ = fragmented_bytes_ = 0;
}

void Outbox::clear(ReliableNodes& nodes) {
  drop_waiting(nodes);
  begun_.reset();
}

}  // namespace ringcast::room
