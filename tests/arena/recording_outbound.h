// An Outbound that keeps what a simulation sent.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ringcast/simulation.h"

namespace ringcast {

inline std::string bytes_of(const Payload& payload) {
  std::string bytes(payload.size(), '\0');
  payload.write(std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

struct Sent {
  Delivery delivery;
  MemberId to;
  MessageType type;
  std::string bytes;
};

class RecordingOutbound final : public Outbound {
 public:
  SendResult send(Delivery delivery, MemberId to, const Payload& payload,
                  MessageType type) override {
    sent.push_back({delivery, to, type, bytes_of(payload)});
    return SendResult::accepted;
  }
  void end_session(MemberId member, std::string_view) override { ended.push_back(member); }

  std::vector<Sent> sent;
  std::vector<MemberId> ended;
};

}  // namespace ringcast
