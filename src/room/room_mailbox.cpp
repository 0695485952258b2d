#include "room/room_mailbox.h"

#include <utility>

namespace ringcast::room {

bool RoomMailbox::post(std::uint32_t kind, std::vector<std::byte> payload) {
  const std::scoped_lock lock(mutex_);
  if (closed_ || posts_.size() == posts_max || payload.size() > bytes_max - bytes_) return false;
  bytes_ += payload.size();
  posts_.push_back({kind, std::move(payload)});
  return true;
}

void RoomMailbox::take(std::vector<Post>& into) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  std::swap(posts_, into);
  bytes_ = 0;
}

void RoomMailbox::close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  posts_.clear();
}

RoomPosts::~RoomPosts() {
  close();
}

RoomHandle RoomPosts::handle() {
  if (!mailbox_) mailbox_ = std::make_shared<RoomMailbox>();
  return RoomHandle(mailbox_);
}

std::span<const RoomMailbox::Post> RoomPosts::take() {
  taken_.clear();
  if (mailbox_) mailbox_->take(taken_);
  return taken_;
}

void RoomPosts::close() {
  if (mailbox_) mailbox_->close();
}

}  // namespace ringcast::room
