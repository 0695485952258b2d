#include "load/server_bytes.h"

#include "ws/upgrade.h"

namespace ringcast::load {

std::string answer_to(std::string_view request, std::string_view status_line) {
  constexpr std::string_view name = "Sec-WebSocket-Key: ";
  const auto begin = request.find(name) + name.size();
  const auto key = request.substr(begin, request.find("\r\n", begin) - begin);
  return std::string(status_line) +
         "\r\nconnection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: " +
         ws::accept_value(key) + "\r\nSec-WebSocket-Protocol: ringcast.v1\r\n\r\n";
}

}  // namespace ringcast::load
